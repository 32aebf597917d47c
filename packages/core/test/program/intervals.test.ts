/** Bounds of each operation over boxes, beside the least and the greatest value that its points have. */
import { describe, expect, test } from "vitest";
import { tensor } from "../../src/index.js";
import {
  abs,
  add,
  and,
  astype,
  bindProgram,
  divide,
  equal,
  exp,
  floor,
  floorDivide,
  greater,
  greaterEqual,
  less,
  lessEqual,
  log,
  type MaskVariables,
  maskMod,
  maximum,
  minimum,
  multiply,
  type NumberExpression,
  negative,
  not,
  notEqual,
  or,
  type Program,
  ProgramIntervals,
  programEvaluator,
  remainder,
  scalar,
  scoreMod,
  sqrt,
  subtract,
  table,
  tanh,
  where,
} from "../../src/program.js";

type Ends = readonly [number, number];
interface Bounds {
  readonly lo: number;
  readonly hi: number;
  readonly nan: boolean;
}
const [least, greatest] = [-(2 ** 31), 2 ** 31 - 1];
const none: Ends = [0, 0];
const any = { lo: -Infinity, hi: Infinity };

/** Numbers in order, looked up by an index: an operand of any range of them. */
const sorted = {
  int32: [least, least + 1, -3, -1, 0, 2, greatest],
  float32: [-Infinity, -2.5, -0.5, 0, 0.5, 2.5, Infinity],
};
const operands = {
  int32: table(tensor(Int32Array.from(sorted.int32), [7])),
  float32: table(tensor(Float32Array.from(sorted.float32), [7])),
};
type Type = keyof typeof operands;

const ranges = sorted.int32.flatMap((_, from) =>
  sorted.int32.slice(from).map((_, more): Ends => [from, from + more]),
);

function boxOf(query: Ends, key: Ends, head: Ends = none) {
  const range = ([lo, hi]: Ends) => ({ lo, hi });
  const [q, k, h] = [range(query), range(key), range(head)];
  return { batch: range(none), head: h, query: q, key: k, queryIndex: q, keyIndex: k };
}

/** Bounds, and the values of all points, by indices of the operands. */
function seen(program: Program, query: Ends, key: Ends, head: Ends = none) {
  const bound = bindProgram(program);
  const bounds = new ProgramIntervals(bound).bounds(boxOf(query, key, head));
  const evaluate = programEvaluator(bound);
  const values: number[] = [];
  for (let q = query[0]; q <= query[1]; q++)
    for (let k = key[0]; k <= key[1]; k++)
      for (let h = head[0]; h <= head[1]; h++)
        values.push(evaluate({ batch: 0, head: h, query: q, key: k, queryIndex: q, keyIndex: k }));
  return { bounds, values };
}

/** Values that bounds do not hold. */
const outside = (values: readonly number[], { lo, hi, nan }: Bounds) =>
  values.filter((value) => (Number.isNaN(value) ? !nan : value < lo || value > hi));

/** The bounds that fit values best. */
function tight(values: readonly number[]): Bounds {
  const numbers = values.filter((value) => !Number.isNaN(value));
  const nan = numbers.length < values.length;
  if (numbers.length === 0) return { ...any, nan };
  return { lo: Math.min(...numbers), hi: Math.max(...numbers), nan };
}

const at = (values: readonly number[], [from, to]: Ends): Ends => [
  values[from] as number,
  values[to] as number,
];
const hasNoInfinity = ([lo, hi]: Ends) => lo !== -Infinity && hi !== Infinity;
const has0 = ([lo, hi]: Ends) => lo <= 0 && hi >= 0;

type Operation = (a: NumberExpression, b: NumberExpression) => NumberExpression;
/** Bounds that an operation may have in place of the best ones; null for none. */
type Wider = (a: Ends, b: Ends) => Bounds | null;
const exact: Wider = () => null;
const quotients: Wider = (a, b) => {
  if (!hasNoInfinity(a) && !hasNoInfinity(b)) return { ...any, nan: true };
  return has0(b) ? { ...any, nan: false } : null;
};
/** Nothing is known where an end of the bounds is infinite less infinite. */
const sums =
  (sign: 1 | -1): Wider =>
  (a, [lo, hi]) => {
    const [b, B] = sign > 0 ? [lo, hi] : [-hi, -lo];
    return Number.isNaN(a[0] + b) || Number.isNaN(a[1] + B) ? { ...any, nan: true } : null;
  };
const isFlat = ([lo, hi]: Ends) => lo === hi;

const floats: readonly (readonly [string, Operation, Wider])[] = [
  ["add", add, sums(1)],
  ["subtract", subtract, sums(-1)],
  [
    "multiply",
    multiply,
    (a, b) => (hasNoInfinity(a) && hasNoInfinity(b) ? null : { ...any, nan: true }),
  ],
  ["divide", divide, quotients],
  ["floorDivide", floorDivide, quotients],
  ["minimum", minimum, exact],
  ["maximum", maximum, exact],
  ["negative", (a) => negative(a), exact],
  ["abs", (a) => abs(a), exact],
  ["floor", (a) => floor(a), exact],
  ["sqrt", (a) => sqrt(a), exact],
  ["exp", (a) => exp(a), exact],
  ["log", (a) => log(a), exact],
  ["tanh", (a) => tanh(a), exact],
];

/** An int32 that may have wrapped is any. */
const wrapping = (...values: number[]): Bounds | null =>
  values.every((value) => value >= least && value <= greatest)
    ? null
    : { lo: least, hi: greatest, nan: false };
const ints: readonly (readonly [string, Operation, Wider])[] = [
  ["add", add, (a, b) => wrapping(a[0] + b[0], a[1] + b[1])],
  ["subtract", subtract, (a, b) => wrapping(a[0] - b[1], a[1] - b[0])],
  ["multiply", multiply, (a, b) => wrapping(a[0] * b[0], a[0] * b[1], a[1] * b[0], a[1] * b[1])],
  [
    "floorDivide",
    floorDivide,
    (a, b) => {
      const most = Math.max(Math.abs(a[0]), Math.abs(a[1]));
      if (has0(b)) return { lo: -most, hi: Math.min(greatest, most), nan: false };
      return a[0] === least && b[1] === -1 ? { lo: least, hi: greatest, nan: false } : null;
    },
  ],
  ["minimum", minimum, exact],
  ["maximum", maximum, exact],
  ["negative", (a) => negative(a), (a) => wrapping(-a[0])],
  ["abs", (a) => abs(a), (a) => wrapping(-a[0])],
];

function operandsOf(type: Type, { query, key }: Pick<MaskVariables, "query" | "key">) {
  return [operands[type].at(query), operands[type].at(key)] as const;
}

/** A program of the operation that gives a float of the same value. */
const programOf = (type: Type, operation: Operation) =>
  scoreMod((variables) => astype(operation(...operandsOf(type, variables)), "float32"));

describe.each<[Type, readonly (readonly [string, Operation, Wider])[]]>([
  ["float32", floats],
  ["int32", ints],
])("bounds of operations on %s", (type, operations) => {
  test.each(operations)("%s: the best, or as wide as it has to be", (name, operation, wider) => {
    const program = programOf(type, operation);
    // Engines round these differently, by less than this.
    const margin = ["exp", "log", "tanh"].includes(name) ? 2 ** -39 : 0;
    const isUnary = operation.length === 1;
    for (const query of ranges) {
      for (const key of isUnary ? [none] : ranges) {
        const [a, b] = [at(sorted[type], query), at(sorted[type], key)];
        const { bounds, values } = seen(program, query, key);
        const expected = wider(a, b) ?? tight(values);
        const text = `${name} of [${a}] and [${b}]`;
        expect(outside(values, bounds), text).toEqual([]);
        const far = (x: number, y: number) => x !== y && !(Math.abs(x - y) <= Math.abs(y) * margin);
        if (far(bounds.lo, expected.lo) || far(bounds.hi, expected.hi)) {
          expect(bounds, text).toEqual(expected);
        }
        expect(bounds.nan, text).toBe(expected.nan);
      }
    }
  });
});

test("remainders: of an integer exact within one quotient; else all that the divisor leaves", () => {
  const [ofInts, ofFloats] = (["int32", "float32"] as const).map((type) =>
    programOf(type, remainder),
  ) as [Program, Program];
  for (const query of ranges) {
    for (const key of ranges) {
      const [a, b] = [at(sorted.int32, query), at(sorted.int32, key)];
      const { bounds, values } = seen(ofInts, query, key);
      const isOne = isFlat(b) && b[0] !== 0 && Math.floor(a[0] / b[0]) === Math.floor(a[1] / b[0]);
      const all = { lo: Math.min(0, b[0] + 1), hi: Math.max(0, b[1] - 1), nan: false };
      expect(bounds, `${a} % ${b}`).toEqual(isOne ? tight(values) : all);
      expect(outside(values, all)).toEqual([]);
      const float = seen(ofFloats, query, key);
      const [x, y] = [at(sorted.float32, query), at(sorted.float32, key)];
      const text = `${x} % ${y}`;
      expect(outside(float.values, float.bounds), text).toEqual([]);
      if (isFlat(x) && isFlat(y) && hasNoInfinity(x) && hasNoInfinity(y) && y[0] !== 0) {
        expect(float.bounds, text).toEqual(tight(float.values));
      }
      // No more than a whole range of the quotient's rounding, where all is finite.
      if (hasNoInfinity(x) && hasNoInfinity(y) && !has0(y)) {
        expect(float.bounds.hi - float.bounds.lo).toBeLessThan(60);
        expect(float.bounds.nan).toBe(false);
      }
    }
  }
});

const comparisons = { equal, notEqual, less, lessEqual, greater, greaterEqual };
/** A table with NaN in it: any of its elements may be NaN, as far as the bounds know. */
const withNaN = table(tensor(Float32Array.of(-1, Number.NaN, 2), [3]));

test.each(Object.entries(comparisons))("%s: known where all points agree", (name, compare) => {
  for (const type of ["int32", "float32"] as const) {
    const program = maskMod((variables) => compare(...operandsOf(type, variables)));
    const intervals = new ProgramIntervals(bindProgram(program));
    for (const query of ranges) {
      for (const key of ranges) {
        const { bounds, values } = seen(program, query, key);
        expect(bounds, `${name} of ${query} and ${key}`).toEqual(tight(values));
        const visibility = bounds.hi === 0 ? "empty" : bounds.lo === 1 ? "full" : "unknown";
        expect(intervals.visibility(boxOf(query, key))).toBe(visibility);
      }
    }
  }
  // NaN is not equal to anything, and neither less nor greater.
  for (const constant of [-5, -1, 0, 2, 5]) {
    for (const swapped of [false, true]) {
      const program = maskMod(({ query }) => {
        const number = withNaN.at(query);
        return swapped ? compare(constant, number) : compare(number, constant);
      });
      for (const query of [
        [0, 0],
        [0, 2],
        [2, 2],
      ] as const) {
        const { bounds, values } = seen(program, query, none);
        const possible = [...values, name === "notEqual" ? 1 : 0];
        // Numbers between the ends of a range count as possible.
        const spans = query[0] < query[1] && constant > -1 && constant < 2;
        const expected = spans ? { lo: 0, hi: 1, nan: false } : tight(possible);
        expect(bounds, `${constant} ${query}`).toEqual(expected);
      }
    }
  }
});

test("logic and choices: known where all points agree", () => {
  const a = ({ query }: Pick<MaskVariables, "query">) => less(query, 3);
  const b = ({ key }: Pick<MaskVariables, "key">) => less(key, 2);
  const c = ({ head }: Pick<MaskVariables, "head">) => less(head, 1);
  const programs = [
    maskMod((v) => and(a(v), b(v))),
    maskMod((v) => or(a(v), b(v))),
    maskMod((v) => not(a(v))),
    maskMod((v) => where(a(v), b(v), c(v))),
    scoreMod((v) => where(a(v), operands.float32.at(v.key), operands.float32.at(v.head))),
    scoreMod((v) => astype(where(a(v), v.key, v.head), "float32")),
    scoreMod((v) => astype(less(v.key, 2), "float32")),
    maskMod((v) => astype(operands.float32.at(v.key), "bool")),
    maskMod((v) => astype(subtract(v.key, 2), "bool")),
  ];
  const few = ranges.filter(([, to]) => to < 5);
  for (const query of [
    [0, 2],
    [1, 4],
    [3, 4],
  ] as const)
    for (const key of few)
      for (const head of few)
        for (const program of programs) {
          const { bounds, values } = seen(program, query, key, head);
          expect(bounds, `${program} ${query} ${key} ${head}`).toEqual(tight(values));
        }
});

test("a choice of what may be NaN may be NaN only where it is chosen", () => {
  const chosen = (query: Ends) => [
    seen(
      scoreMod((v) => where(less(v.query, 2), withNaN.at(v.key), 7)),
      query,
      [2, 2],
    ).bounds,
    seen(
      scoreMod((v) => where(less(v.query, 2), 7, withNaN.at(v.key))),
      query,
      [2, 2],
    ).bounds,
  ];
  const [number, maybe] = [
    { lo: 7, hi: 7, nan: false },
    { lo: 2, hi: 2, nan: true },
  ];
  const both = { lo: 2, hi: 7, nan: true };
  expect(chosen([0, 1])).toEqual([maybe, number]);
  expect(chosen([2, 3])).toEqual([number, maybe]);
  expect(chosen([1, 2])).toEqual([both, both]);
});

test("NaN goes through arithmetic, becomes 0 as an integer, and true as a bool", () => {
  const of = (build: (x: NumberExpression) => NumberExpression, query: Ends = [2, 2]) =>
    seen(
      scoreMod((v) => astype(build(withNaN.at(v.query)), "float32")),
      query,
      none,
    ).bounds;
  const unary = [abs, negative, floor, sqrt, tanh, exp, log, minimum, maximum];
  for (const operation of unary) {
    expect(of((x) => (operation as Operation)(x, x as never)).nan, operation.name).toBe(true);
  }
  for (const operation of [add, subtract, multiply, divide, floorDivide, remainder]) {
    expect([of((x) => operation(x, 3)).nan, of((x) => operation(3, x)).nan]).toEqual([true, true]);
  }
  const asInt = (x: NumberExpression) => astype(x, "int32");
  expect(of(asInt)).toEqual({ lo: 0, hi: 2, nan: false });
  expect(of(asInt, [0, 0])).toEqual({ lo: -1, hi: 0, nan: false });
  expect(of((x) => asInt(multiply(x, 1e20)), [0, 2])).toEqual({
    lo: least,
    hi: greatest,
    nan: false,
  });
  expect(of((x) => asInt(multiply(x, 0.7)), [0, 2])).toEqual({ lo: 0, hi: 1, nan: false });
  const asBool = (x: NumberExpression) =>
    seen(
      maskMod(() => astype(x, "bool")),
      none,
      none,
    ).bounds;
  const ofQuery = (query: Ends, minus: number) =>
    seen(
      maskMod((v) => astype(subtract(withNaN.at(v.query), minus), "bool")),
      query,
      none,
    ).bounds;
  expect(ofQuery([2, 2], 2)).toEqual({ lo: 0, hi: 1, nan: false });
  expect(ofQuery([2, 2], 1)).toEqual({ lo: 1, hi: 1, nan: false });
  expect(ofQuery([0, 0], 1)).toEqual({ lo: 1, hi: 1, nan: false });
  expect(ofQuery([0, 2], 1)).toEqual({ lo: 0, hi: 1, nan: false });
  expect(asBool(scalar(0, "float32"))).toEqual({ lo: 0, hi: 0, nan: false });
});

test("what is NaN at every point has any bounds", () => {
  for (const build of [sqrt, log]) {
    const program = scoreMod((v) => build(operands.float32.at(v.query)));
    expect(seen(program, [0, 2], none).bounds).toEqual({ ...any, nan: true });
  }
  const all = table(tensor(Float32Array.of(Number.NaN, Number.NaN), [2]));
  expect(
    seen(
      scoreMod((v) => all.at(v.query)),
      [0, 1],
      none,
    ).bounds,
  ).toEqual({
    ...any,
    nan: true,
  });
  expect(
    seen(
      scoreMod((v) => v.score),
      none,
      none,
    ).bounds,
  ).toEqual({ ...any, nan: true });
});

test("indices outside of a table's axis count as the nearest one inside", () => {
  const square = table(tensor(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]));
  const program = scoreMod((v) => square.at(subtract(v.query, 2), subtract(v.key, 1)));
  for (let from = 0; from < 6; from++)
    for (let to = from; to < 6; to++)
      for (let first = 0; first < 6; first++)
        for (let last = first; last < 6; last++) {
          const { bounds, values } = seen(program, [from, to], [first, last]);
          expect(bounds, `${from} ${to} ${first} ${last}`).toEqual(tight(values));
        }
});

test("variables and scalars have the bounds of the box, and their values", () => {
  const number = scalar(0.5);
  const bounds = (build: Parameters<typeof scoreMod>[0]) =>
    new ProgramIntervals(bindProgram(scoreMod(build))).bounds({
      batch: { lo: 1, hi: 2 },
      head: { lo: 3, hi: 4 },
      query: { lo: 5, hi: 6 },
      key: { lo: 7, hi: 8 },
      queryIndex: { lo: 9, hi: 10 },
      keyIndex: { lo: 11, hi: 12 },
    });
  const names = ["batch", "head", "query", "key", "queryIndex", "keyIndex"] as const;
  const found = names.map((name) => bounds((v) => astype(v[name], "float32")));
  expect(found.flatMap(({ lo, hi }) => [lo, hi])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  expect(bounds(() => number)).toEqual({ lo: 0.5, hi: 0.5, nan: false });
  number.value = Infinity;
  expect(bounds(() => number)).toEqual({ lo: Infinity, hi: Infinity, nan: false });
});
