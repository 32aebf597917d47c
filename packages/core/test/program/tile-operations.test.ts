/** Every operation of tile programs on every kind of operands: lists of scores, of keys and of rows, and constants. */
import {
  abs,
  add,
  and,
  astype,
  type BoolExpression,
  bindProgram,
  divide,
  doubles,
  equal,
  exp,
  floor,
  floorDivide,
  greater,
  greaterEqual,
  less,
  lessEqual,
  log,
  maskMod,
  maximum,
  minimum,
  multiply,
  type NumberExpression,
  negative,
  not,
  notEqual,
  or,
  panelLength,
  programEvaluator,
  remainder,
  type ScoreVariables,
  scalar,
  scoreMod,
  sqrt,
  subtract,
  TileProgram,
  table,
  tanh,
  where,
} from "@heed/core/program";
import { expect, test } from "vitest";
import { tensor } from "../../src/index.js";

const [keys, rows, firstKey, firstQuery] = [9, 6, 2, 3];

type Numbers = (variables: ScoreVariables) => NumberExpression;
type Bools = (variables: ScoreVariables) => BoolExpression;

const odd = table(
  tensor(
    Int32Array.from({ length: 12 * 12 }, (_, n) => ((n * 7) % 11) - 5),
    [12, 12],
  ),
);
const special = table(
  tensor(Float32Array.of(0.5, -3, Number.NaN, 1e20, 0, -0, 2, Infinity, -Infinity, -1.5), [10]),
);
const truths = table(tensor([true, false, false, true, true, false, true], [7]));
const pairs = table(
  tensor(
    Array.from({ length: 12 * 12 }, (_, n) => (n * 5) % 7 < 3),
    [12, 12],
  ),
);

/** int32 by where it is computed. */
const integers: Readonly<Record<string, Numbers>> = {
  scores: ({ query, key }) => odd.at(query, key),
  products: ({ query, key }) => subtract(multiply(query, key), 13),
  keys: ({ key }) => subtract(multiply(key, 3), 11),
  rows: ({ query }) => subtract(5, multiply(query, 2)),
  "a constant": () => add(7, 0),
  "a negative constant": () => add(-4, 0),
  zero: () => scalar(0),
  "an end": () => add(-(2 ** 31), 0),
};
const floats: Readonly<Record<string, Numbers>> = {
  "special scores": ({ query, key }) => special.at(odd.at(query, key)),
  scores: ({ score, key }) => add(score, astype(key, "float32")),
  products: ({ query, key }) => multiply(astype(query, "float32"), subtract(key, 4.5)),
  keys: ({ key }) => subtract(multiply(astype(key, "float32"), 0.5), 2.5),
  "special keys": ({ key }) => special.at(key),
  rows: ({ query }) => subtract(5.5, astype(query, "float32")),
  "special rows": ({ query }) => special.at(subtract(query, 2)),
  "a constant": () => astype(0.75, "float32"),
  zero: () => scalar(0, "float32"),
};
const bools: Readonly<Record<string, Bools>> = {
  scores: ({ query, key }) => less(odd.at(query, key), 0),
  "scores in a table": ({ query, key }) => pairs.at(query, key),
  keys: ({ key }) => truths.at(key),
  rows: ({ query }) => truths.at(subtract(query, 2)),
  "a constant": () => and(true),
};

type Pair<T, R> = (a: T, b: T) => R;
const arithmetic: Readonly<Record<string, Pair<NumberExpression, NumberExpression>>> = {
  ...{ add, subtract, multiply, minimum, maximum, floorDivide, remainder, divide },
};
const comparisons: Readonly<Record<string, Pair<NumberExpression, BoolExpression>>> = {
  ...{ equal, notEqual, less, lessEqual, greater, greaterEqual },
};
const logic: Readonly<Record<string, Pair<BoolExpression, BoolExpression>>> = {
  ...{ and, or, equal, notEqual },
};

/** Values of a program at every key and row, by tiles and one by one. */
function expectSame(build: Numbers, name: string, lanes: 1 | 3): void {
  const bound = bindProgram(scoreMod((variables) => add(variables.score, build(variables))));
  const evaluate = programEvaluator(bound);
  const tile = new TileProgram(bound, { keys, rows, lanes });
  const length = panelLength(keys, lanes);
  const scores = doubles(length + 3).fill(77);
  const index = Int32Array.from({ length: rows }, (_, r) => firstQuery + r);
  tile.setBatch(0);
  tile.setRows(rows, { head: new Int32Array(rows), position: index, index });
  tile.setKeys(firstKey, keys);
  for (let r = 0; r < rows; r += lanes) {
    for (let n = 0; n < keys * lanes; n++) scores[n] = (n % 5) / 4 - 0.5;
    const expected = scores.slice(0, keys * lanes).map((score, n) => {
      const key = firstKey + Math.floor(n / lanes);
      const query = firstQuery + r + (n % lanes);
      const indices = { queryIndex: query, keyIndex: key };
      return evaluate({ batch: 0, head: 0, query, key, ...indices, score });
    });
    tile.changeScores(r, scores, 0);
    expect(scores.slice(0, keys * lanes), `${name}, rows from ${r}`).toEqual(expected);
    expect(scores.slice(length), `${name}, after the panel`).toEqual(doubles(3).fill(77));
  }
}

/** The same of a mask program. */
function expectSameMask(build: Bools, name: string): void {
  const bound = bindProgram(maskMod((variables) => build(variables as ScoreVariables)));
  const evaluate = programEvaluator(bound);
  const tile = new TileProgram(bound, { keys, rows, lanes: 3 });
  const index = Int32Array.from({ length: rows }, (_, r) => firstQuery + r);
  tile.setBatch(0);
  tile.setRows(rows, { head: new Int32Array(rows), position: index, index });
  tile.setKeys(firstKey, keys);
  for (let r = 0; r < rows; r += 3) {
    const expected = Array.from({ length: keys * 3 }, (_, n) => {
      const key = firstKey + Math.floor(n / 3);
      const query = firstQuery + r + (n % 3);
      return evaluate({ batch: 0, head: 0, query, key, queryIndex: query, keyIndex: key });
    });
    expect([...tile.visible(r)].slice(0, keys * 3), `${name}, rows from ${r}`).toEqual(expected);
  }
}

/** Every two of a kind of operands. */
function* pairsOf<T>(operands: Readonly<Record<string, T>>): Generator<[string, T, T]> {
  for (const [a, first] of Object.entries(operands)) {
    for (const [b, second] of Object.entries(operands)) yield [`${a} and ${b}`, first, second];
  }
}

const cases = [1, 3].flatMap((lanes) =>
  Object.keys(arithmetic).map((name) => ({ name, lanes: lanes as 1 | 3 })),
);

test.each(cases)("$name, $lanes rows at once", ({ name, lanes }) => {
  const operation = arithmetic[name] as Pair<NumberExpression, NumberExpression>;
  for (const [type, operands] of Object.entries({ int32: integers, float32: floats })) {
    for (const [places, a, b] of pairsOf(operands)) {
      expectSame((v) => operation(a(v), b(v)), `${name} of ${type}: ${places}`, lanes);
    }
  }
});

test.each(Object.keys(comparisons))("%s of numbers", (name) => {
  const compare = comparisons[name] as Pair<NumberExpression, BoolExpression>;
  for (const [type, operands] of Object.entries({ int32: integers, float32: floats })) {
    for (const [places, a, b] of pairsOf(operands)) {
      const what = `${name} of ${type}: ${places}`;
      expectSame((v) => where(compare(a(v), b(v)), 1, 2), what, 3);
      if (type === "int32") expectSameMask((v) => compare(a(v), b(v)), what);
    }
  }
});

test.each(Object.keys(logic))("%s of bools", (name) => {
  const operation = logic[name] as Pair<BoolExpression, BoolExpression>;
  for (const [places, a, b] of pairsOf(bools)) {
    expectSameMask((v) => operation(a(v), b(v)), `${name}: ${places}`);
    expectSameMask((v) => not(operation(a(v), not(b(v)))), `${name} of an opposite: ${places}`);
  }
});

test("operations of one operand", () => {
  for (const [place, a] of Object.entries(integers)) {
    for (const [name, operation] of Object.entries({ negative, abs })) {
      expectSame((v) => operation(a(v)), `${name} of int32: ${place}`, 3);
      expectSame((v) => operation(a(v)), `${name} of int32: ${place}`, 1);
    }
    expectSameMask((v) => astype(a(v), "bool"), `bool of int32: ${place}`);
    expectSame((v) => astype(a(v), "float32"), `float32 of int32: ${place}`, 3);
  }
  for (const [place, a] of Object.entries(floats)) {
    for (const [name, operation] of Object.entries({
      negative,
      abs,
      floor,
      sqrt,
      exp,
      log,
      tanh,
    })) {
      expectSame((v) => operation(a(v)), `${name} of float32: ${place}`, 3);
    }
    expectSame((v) => astype(a(v), "int32"), `int32 of float32: ${place}`, 3);
    expectSame((v) => where(astype(a(v), "bool"), 1, 2), `bool of float32: ${place}`, 3);
  }
  for (const [place, a] of Object.entries(bools)) {
    expectSame((v) => astype(a(v), "int32"), `int32 of bool: ${place}`, 3);
    expectSame((v) => astype(a(v), "float32"), `float32 of bool: ${place}`, 1);
  }
});

test("choices", () => {
  for (const [condition, c] of Object.entries(bools)) {
    for (const operands of [integers, floats]) {
      for (const [places, a, b] of pairsOf(operands)) {
        expectSame((v) => where(c(v), a(v), b(v)), `by ${condition}: ${places}`, 3);
      }
    }
    for (const [places, a, b] of pairsOf(bools)) {
      expectSameMask((v) => where(c(v), a(v), b(v)), `by ${condition}: ${places}`);
    }
  }
});
