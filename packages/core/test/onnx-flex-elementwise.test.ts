/** Operators of FlexAttention's graphs on one element of each input, by what ONNX says that they give. */
import { describe, expect, test } from "vitest";
import { variables } from "../src/program/expression.js";
import { constantOf, elementsOf, floatsOf, resultOf, rounded } from "./flex-elements.js";
import { type Constants, int, type Node } from "./flex-graph.js";
import { errorOf } from "./program/error-of.js";

const { POSITIVE_INFINITY: infinity, NEGATIVE_INFINITY: minusInfinity, NaN: nan } = Number;
const xs = [-2.5, -1, -0.5, 0, 0.5, 1, 1.5, 2.5, 3.75];
/** Beside each x: smaller, larger, equal, and of other signs. */
const ys = [2, -1, -0.75, 3, -0.5, 2, 1.5, -4, 0.25];
const ns = [-7, -4, -1, 0, 1, 2, 3, 5, 9];
const ms = [3, -4, 2, 5, -1, -3, 3, 2, -2];
const special = [infinity, minusInfinity, nan, 1, 0];
const truths = [1, 1, 0, 0];
const others = [1, 0, 1, 0];

const tensors: Constants = {
  x: floatsOf(...xs),
  y: floatsOf(...ys),
  n: constantOf([ns.length], ns),
  m: constantOf([ms.length], ms),
  special: { data_type: 1, dims: [5], values: ["Infinity", "-Infinity", "NaN", 1, 0] },
  p: constantOf([4], truths, 9),
  q: constantOf([4], others, 9),
  zeros: floatsOf(...xs.map(() => 0)),
  two: 2,
  half: 0.5,
};

type Of1 = (x: number) => number;
type Of2 = (x: number, y: number) => number;

const trunc: Of2 = (a, b) => Math.trunc(a / b);
const floorMod: Of2 = (a, b) => ((a % b) + b) % b;

/** By operator: floats of x; integers of n. */
const ofFloats: Readonly<Record<string, Of1>> = {
  Identity: (x) => x,
  Neg: (x) => -x,
  Abs: Math.abs,
  Sign: Math.sign,
  Floor: Math.floor,
  Ceil: Math.ceil,
  Exp: Math.exp,
  Tanh: Math.tanh,
  Sinh: Math.sinh,
  Cosh: Math.cosh,
  Sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  Relu: (x) => Math.max(x, 0),
  LeakyRelu: (x) => (x < 0 ? 0.01 * x : x),
  Softplus: (x) => Math.log1p(Math.exp(x)),
  Softsign: (x) => x / (1 + Math.abs(x)),
  Sqrt: Math.sqrt,
  Log: Math.log,
  Reciprocal: (x) => 1 / x,
};
const ofIntegers: Readonly<Record<string, Of1>> = {
  Identity: (n) => n,
  Neg: (n) => -n,
  Abs: Math.abs,
  Sign: Math.sign,
  Relu: (n) => Math.max(n, 0),
};
const ofTwo: Readonly<Record<string, Of2>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Max: Math.max,
  Min: Math.min,
  Sum: (a, b) => a + b,
  Equal: (a, b) => +(a === b),
  Less: (a, b) => +(a < b),
  LessOrEqual: (a, b) => +(a <= b),
  Greater: (a, b) => +(a > b),
  GreaterOrEqual: (a, b) => +(a >= b),
};
const ofBools: Readonly<Record<string, Of2>> = {
  Equal: (a, b) => +(a === b),
  And: (a, b) => a & b,
  Or: (a, b) => a | b,
  Xor: (a, b) => a ^ b,
};

const of1 = (operator: string, input: string, attributes: object = {}): Node => [
  operator,
  input,
  "out",
  attributes,
];
const entries = <T>(of: Readonly<Record<string, T>>) => Object.entries(of);
const zip = (a: readonly number[], b: readonly number[], f: Of2) =>
  a.map((x, at) => f(x, b[at] as number));

const cases: readonly (readonly [string, Node, readonly number[]])[] = [
  ...entries(ofFloats).map(([name, f]) => [name, of1(name, "x"), xs.map(f)] as const),
  ...entries(ofIntegers).map(
    ([name, f]) => [`${name} of integers`, of1(name, "n"), ns.map(f)] as const,
  ),
  ...entries(ofTwo).flatMap(([name, f]) => [
    [name, of1(name, "x y"), zip(xs, ys, f)] as const,
    [`${name} of integers`, of1(name, "n m"), zip(ns, ms, f)] as const,
  ]),
  ...entries(ofBools).map(
    ([name, f]) => [`${name} of bools`, of1(name, "p q"), zip(truths, others, f)] as const,
  ),
  ["Not", of1("Not", "p"), truths.map((p) => 1 - p)],
  ["Div", of1("Div", "x y"), zip(xs, ys, (x, y) => x / y)],
  ["Div by what may be 0", of1("Div", "y x"), zip(ys, xs, (y, x) => (x === 0 ? infinity : y / x))],
  ["Div by 0", of1("Div", "x zeros"), xs.map((x) => x / 0)],
  ["Div of integers", of1("Div", "n m"), zip(ns, ms, trunc)],
  ["Mod of integers", of1("Mod", "n m"), zip(ns, ms, floorMod)],
  ["Mod with fmod of integers", of1("Mod", "n m", { fmod: 1 }), zip(ns, ms, (a, b) => a % b)],
  ["Mod with fmod of floats", of1("Mod", "x y", { fmod: 1 }), zip(xs, ys, (a, b) => a % b)],
  ["Mod by what may be 0", of1("Mod", "y x", { fmod: 1 }), zip(ys, xs, (a, b) => a % b)],
  ["Max of three", of1("Max", "x y half"), zip(xs, ys, (x, y) => Math.max(x, y, 0.5))],
  ["Min of three", of1("Min", "x y half"), zip(xs, ys, (x, y) => Math.min(x, y, 0.5))],
  ["Sum of three", of1("Sum", "x y two"), zip(xs, ys, (x, y) => x + y + 2)],
  ["Sum of one", of1("Sum", "x"), xs],
  ["Mean of three", of1("Mean", "x y two"), zip(xs, ys, (x, y) => (x + y + 2) / 3)],
  ["LeakyRelu by alpha", of1("LeakyRelu", "x", { alpha: 0.5 }), xs.map((x) => (x < 0 ? x / 2 : x))],
  ["Round", of1("Round", "x"), [-2, -1, 0, 0, 0, 1, 2, 2, 4]],
  ["IsNaN", of1("IsNaN", "special"), [0, 0, 1, 0, 0]],
  ["IsInf", of1("IsInf", "special"), [1, 1, 0, 0, 0]],
  ["IsInf of +∞", of1("IsInf", "special", { detect_negative: 0 }), [1, 0, 0, 0, 0]],
  ["IsInf of −∞", of1("IsInf", "special", { detect_positive: 0 }), [0, 1, 0, 0, 0]],
  ["Sign of special numbers", of1("Sign", "special"), [1, -1, nan, 1, 0]],
  ["Clip", of1("Clip", "x half two"), xs.map((x) => Math.min(Math.max(x, 0.5), 2))],
  ["Clip from below", of1("Clip", "x half"), xs.map((x) => Math.max(x, 0.5))],
  ["Clip from above", of1("Clip", "x - half"), xs.map((x) => Math.min(x, 0.5))],
  ["Clip by nothing", of1("Clip", "special"), special],
];

test.each(cases)("%s", (_, node, expected) => {
  expect(elementsOf([node], tensors).values).toEqual(expected.map(rounded));
});

test.each([
  [0, xs.map(() => 1)],
  [1, xs],
  [2, xs.map((x) => x ** 2)],
  [3, xs.map((x) => x ** 3)],
  [6, xs.map((x) => x ** 6)],
  [-1, xs.map((x) => 1 / x)],
  [-3, xs.map((x) => x ** -3)],
  [0.5, xs.map(Math.sqrt)],
])("Pow %d", (exponent, expected) => {
  const { values } = elementsOf([of1("Pow", "x e")], { ...tensors, e: exponent });
  expect(values).toEqual(expected.map(rounded));
});

test("Pow by the largest exponents", () => {
  const constants = { x: floatsOf(0.5, -2, 1), least: -64, most: 64 };
  const values = (e: string) => elementsOf([of1("Pow", `x ${e}`)], constants).values;
  expect(values("most")).toEqual([2 ** -64, 2 ** 64, 1].map(rounded));
  expect(values("least")).toEqual([2 ** 64, 2 ** -64, 1].map(rounded));
});

test("Pow of integers", () => {
  const constants = { ...tensors, e: constantOf([], [3]), none: constantOf([], [0]) };
  expect(elementsOf([of1("Pow", "n e")], constants)).toEqual({
    type: "int32",
    shape: [9],
    values: ns.map((n) => n ** 3),
  });
  expect(elementsOf([of1("Pow", "n none")], constants).type).toBe("int32");
});

test("integers that Clip leaves unbounded are not clipped", () => {
  const ends = [-(2 ** 31), -5, 0, 7, 2 ** 31 - 1];
  const constants = {
    ends: constantOf([5], ends),
    low: constantOf([], [-3]),
    high: constantOf([], [4]),
  };
  const clipped = (inputs: string) => elementsOf([of1("Clip", inputs)], constants).values;
  expect(clipped("ends")).toEqual(ends);
  expect(clipped("ends low")).toEqual([-3, -3, 0, 7, 2 ** 31 - 1]);
  expect(clipped("ends - high")).toEqual([-(2 ** 31), -5, 0, 4, 4]);
});

test("inputs broadcast, by the axes that both have and those that one has", () => {
  const constants = {
    column: constantOf([2, 1], [10, 20]),
    row: constantOf([3]),
    one: constantOf([1, 1, 1], [100]),
    cube: constantOf([2, 1, 3]),
    p: constantOf([2, 1], [1, 0], 9),
  };
  expect(elementsOf([of1("Add", "column row")], constants)).toEqual({
    type: "int32",
    shape: [2, 3],
    values: [10, 11, 12, 20, 21, 22],
  });
  expect(elementsOf([of1("Sub", "row column")], constants).values).toEqual([
    -10, -9, -8, -20, -19, -18,
  ]);
  expect(elementsOf([of1("Add", "one column")], constants)).toMatchObject({
    shape: [1, 2, 1],
    values: [110, 120],
  });
  expect(elementsOf([of1("Add", "cube column")], constants)).toMatchObject({
    shape: [2, 2, 3],
    values: [10, 11, 12, 20, 21, 22, 13, 14, 15, 23, 24, 25],
  });
  expect(elementsOf([of1("Where", "p row column")], constants)).toEqual({
    type: "int32",
    shape: [2, 3],
    values: [0, 1, 2, 20, 20, 20],
  });
});

test.each([
  [{}, "", [1, 2, 3, 0, 5, 6, 0, 0, 9]],
  [{ upper: 0 }, "", [1, 0, 0, 4, 5, 0, 7, 8, 9]],
  [{ upper: 1 }, " above", [0, 2, 3, 0, 0, 6, 0, 0, 0]],
  [{ upper: 0 }, " below", [0, 0, 0, 4, 0, 0, 7, 8, 0]],
  [{ upper: 0 }, " -", [1, 0, 0, 4, 5, 0, 7, 8, 9]],
])("Trilu %j%s", (attributes, k, values) => {
  const constants = {
    square: constantOf([3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9]),
    above: constantOf([], [1]),
    below: constantOf([], [-1]),
  };
  expect(elementsOf([of1("Trilu", `square${k}`, attributes)], constants)).toEqual({
    type: "int32",
    shape: [3, 3],
    values,
  });
});

test.each([
  [1, "float32"],
  [9, "bool"],
])("Trilu of type %i is moved by an integer, and hides what it leaves out", (element, type) => {
  const constants = { ones: constantOf([2, 3], new Array(6).fill(1), element), k: int(1) };
  expect(elementsOf([of1("Trilu", "ones k")], constants)).toEqual({
    type,
    shape: [2, 3],
    values: [0, 1, 1, 0, 0, 1],
  });
  expect(elementsOf([of1("Trilu", "ones k", { upper: 0 })], constants).values).toEqual([
    1, 1, 0, 1, 1, 1,
  ]);
});

test("Cast gives the nearest type of a program", () => {
  const cast = (input: string, to: number) => elementsOf([of1("Cast", input, { to })], tensors);
  for (const to of [1, 10, 11, 16])
    expect(cast("n", to)).toMatchObject({ type: "float32", values: ns });
  for (const to of [2, 3, 4, 5, 6, 7]) {
    expect(cast("x", to)).toMatchObject({ type: "int32", values: xs.map(Math.trunc).map(rounded) });
  }
  expect(cast("n", 9)).toMatchObject({ type: "bool", values: ns.map((n) => +(n !== 0)) });
  expect(cast("p", 7)).toMatchObject({ type: "int32", values: truths });
});

describe("operands that do not fit are refused", () => {
  const constants = { ...tensors, three: constantOf([3]), wide: constantOf([2, 4]) };
  test.each<[string, Node, string, string]>([
    ["no float", of1("Exp", "n"), "floats", "int32"],
    ["no number", of1("Neg", "p"), "numbers of one type", "bool"],
    ["numbers of two types", of1("Add", "x n"), "numbers of one type", "float32 and int32"],
    ["no bool", of1("And", "n m"), "bools", "int32 and int32"],
    ["values of two types", of1("Equal", "p n"), "values of one type", "bool and int32"],
    [
      "a condition that is no bool",
      of1("Where", "n n m"),
      "a bool and two values of one type",
      "int32 and int32 and int32",
    ],
    [
      "a choice of two types",
      of1("Where", "p n x"),
      "a bool and two values of one type",
      "bool and int32 and float32",
    ],
    ["shapes that do not broadcast", of1("Add", "n three"), "shapes that broadcast", "[9] and [3]"],
    [
      "matrices that do not broadcast",
      of1("Add", "wide three"),
      "shapes that broadcast",
      "[2, 4] and [3]",
    ],
    ["scores that spread", of1("Add", "score x"), "nothing that gives scores another shape", "[9]"],
    ["too few inputs", of1("Add", "x"), "2 inputs", "1"],
    ["too many inputs", of1("Add", "x x x"), "2 inputs", "3"],
    ["an input that is left out", of1("Add", "x -"), "a value as input 1", "none"],
    ["no input", of1("Max", ""), "1 or more inputs", "0"],
    ["Clip of nothing", of1("Clip", "- x"), "a first input, and 3 at most", "2"],
    ["Clip by too much", of1("Clip", "x x x x"), "a first input, and 3 at most", "4"],
    ["Trilu of too much", of1("Trilu", "wide n n"), "a first input, and 2 at most", "3"],
    ["Trilu of a row", of1("Trilu", "n"), "a matrix", "fewer axes"],
    ["Mod of floats", of1("Mod", "x y"), "integers, or fmod 1", "floats"],
    [
      "a power above the largest",
      of1("Pow", "x e65"),
      "a constant integer from −64 to 64 as exponent, or 0.5; Exp and Log say others",
      "65",
    ],
    [
      "a power below the least",
      of1("Pow", "x e-65"),
      "a constant integer from −64 to 64 as exponent, or 0.5; Exp and Log say others",
      "-65",
    ],
    [
      "a broken power",
      of1("Pow", "x e1.5"),
      "a constant integer from −64 to 64 as exponent, or 0.5; Exp and Log say others",
      "1.5",
    ],
    [
      "a power that is a value",
      of1("Pow", "x y"),
      "a constant integer from −64 to 64 as exponent, or 0.5; Exp and Log say others",
      "a value",
    ],
    [
      "an attribute that is no integer",
      of1("Mod", "n m", { fmod: 0.5 }),
      "an integer as fmod",
      "0.5",
    ],
    [
      "an attribute that is no number",
      of1("LeakyRelu", "x", { alpha: "1" }),
      "a number as alpha",
      '"1"',
    ],
  ])("%s", (_, node, expected, actual) => {
    const exponents = { e65: 65, "e-65": -65, "e1.5": 1.5 };
    const error = errorOf(() =>
      resultOf([node], { ...constants, ...exponents }).at([variables.keyIndex as never]),
    );
    expect(error.argument).toBe(`graph.nodes[0] (${node[0]})`);
    expect(error.expected).toBe(expected);
    expect(error.actual).toBe(actual);
  });
});
