/** Programs on tiles whose values depend on the difference of key and query, and on few integers. */
import {
  abs,
  add,
  astype,
  bindProgram,
  divide,
  doubles,
  equal,
  less,
  lessEqual,
  log,
  maskMod,
  maximum,
  minimum,
  multiply,
  negative,
  not,
  notEqual,
  panelLength,
  programEvaluator,
  remainder,
  type ScoreVariables,
  scalar,
  scoreMod,
  subtract,
  TileProgram,
  table,
  tanh,
  tanhFloat32,
  where,
} from "@heed/core/program";
import { expect, test } from "vitest";
import { tensor } from "../../src/index.js";

const factors = table(tensor(Float32Array.of(0.5, -3), [2]));
const biases = table(
  tensor(
    Float32Array.from({ length: 2 * 5 * 7 }, (_, n) => n / 4 - 3),
    [2, 5, 7],
  ),
);
/** Wide enough for all rows and keys of these tests. */
const wide = table(
  tensor(
    Float32Array.from({ length: 2 * 30 * 40 }, (_, n) => ((n * 37) % 101) / 8),
    [2, 30, 40],
  ),
);
const offset = 5;

type Build = (variables: ScoreVariables) => Parameters<typeof add>[0];

const programs: Readonly<Record<string, Build>> = {
  "query − key": ({ query, key }) => multiply(subtract(query, key), 0.5),
  "queryIndex − keyIndex": ({ queryIndex, keyIndex }) => abs(subtract(queryIndex, keyIndex)),
  "differences of positions and of indices": ({ query, key, queryIndex, keyIndex }) =>
    multiply(subtract(key, query), subtract(keyIndex, queryIndex)),
  "a factor of the batch entry": ({ batch, query, key }) =>
    multiply(factors.at(batch), subtract(key, query)),
  "differences times a number of the head": ({ head, query, key }) =>
    multiply(factors.at(head), abs(astype(subtract(query, key), "float32"))),
  "differences times a number of the row": ({ query, queryIndex, keyIndex }) =>
    multiply(abs(astype(subtract(queryIndex, keyIndex), "float32")), add(query, 0.5)),
  "a sum of what rows and keys say, which wraps": ({ head, query, key, keyIndex }) =>
    add(
      multiply(subtract(add(multiply(query, 3), head), multiply(key, 5)), 1_000_000_007),
      subtract(subtract(keyIndex, query), 2_000_000_000),
    ),
  "a sum whose rows and keys cancel": ({ queryIndex, keyIndex }) =>
    subtract(add(subtract(queryIndex, keyIndex), keyIndex), queryIndex),
  // Twice itself, 40 times over: as many paths as 2 to the 40th, and 40 nodes.
  "sums that share operands": ({ query, key }) =>
    Array.from({ length: 40 }).reduce<ReturnType<typeof add>>(
      (sum) => add(sum, sum),
      subtract(multiply(query, 3), key),
    ),
  "a table of heads, rows and keys": ({ head, queryIndex, keyIndex }) =>
    biases.at(head, queryIndex, keyIndex),
  "a table of keys, and of what rows and keys say": ({ key, query }) =>
    biases.at(0, remainder(add(key, query), 3), key),
  "a table of consecutive keys": ({ head, query, key }) => wide.at(head, query, key),
  "a table of consecutive keys, times the score": ({ score, head, query, key }) =>
    multiply(wide.at(head, query, key), score),
  "a table of every other key": ({ head, query, key }) => wide.at(head, query, multiply(key, 2)),
  "a table of every other key, times the score": ({ score, head, query, key }) =>
    multiply(wide.at(head, query, multiply(key, 2)), score),
  "a table of keys alone": ({ score, key }) => multiply(wide.at(1, 2, key), score),
  "a product of rows and keys": ({ key, query }) =>
    multiply(astype(query, "float32"), astype(key, "float32")),
  "the absolute value of the least integer": ({ key }) => abs(add(key, -(2 ** 31))),
  "a table of sums of rows and keys, inside and outside": ({ key, query, queryIndex }) =>
    biases.at(0, subtract(multiply(query, 2), multiply(key, 3)), add(key, negative(queryIndex))),
  "a table of sums of rows and keys, which wrap": ({ key, query }) =>
    biases.at(0, 1, add(add(multiply(query, 3), multiply(key, 2)), 2 ** 31 - 30)),
  "a product of a table and the score": ({ score, head, key }) =>
    multiply(biases.at(head, 2, key), score),
  "a difference of the score and products": ({ score, query, key }) =>
    subtract(subtract(score, multiply(abs(subtract(query, key)), 0.3)), multiply(score, 0.7)),
  "remainders of sums": ({ key, query }) => remainder(add(key, multiply(query, 7)), 5),
  "remainders of sums that wrap": ({ key, query }) =>
    remainder(add(add(multiply(query, -3), multiply(key, 2)), 2 ** 31 - 20), 7),
  "remainders of negative numbers": ({ key }) => remainder(multiply(key, -7), 5),
  "choices by key and row": ({ score, query, key }) =>
    where(lessEqual(key, query), score, subtract(score, 5)),
  "choices by row and key": ({ score, query, key }) =>
    where(less(add(query, 2), key), multiply(key, 0.5), add(score, 1)),
  "choices of equal ones": ({ query, key }) =>
    where(equal(multiply(query, 1), key), 3, where(notEqual(key, query), 1, 2)),
  "choices by no pattern": ({ score, query, key }) =>
    where(equal(equal(remainder(multiply(query, key), 3), 1), false), score, 7),
  "larger and smaller ones, not numbers and zeros": ({ key, query }) => {
    const odd = divide(1, subtract(log(subtract(key, 5)), log(subtract(query, 7))));
    return add(maximum(odd, 0), add(minimum(odd, -0), minimum(multiply(odd, -1), 2)));
  },
  "a table of differences": ({ head, query, key }) =>
    biases.at(head, add(subtract(query, key), 2), 3),
  "remainders of differences": ({ query, key }) => remainder(add(subtract(query, key), 2), 3),
  "a choice by differences": ({ score, query, key }) =>
    where(less(subtract(query, key), 3), score, multiply(score, 2)),
  "tanh of differences": ({ query, key }) =>
    multiply(tanh(divide(subtract(query, key), 8)), factors.at(1)),
  "a cap": ({ score, key }) => multiply(tanh(divide(add(score, key), 50)), 50),
};

/** Scores times numbers, to which others are added: one loop. */
const scaled: typeof programs = {
  "a scaled score and a table": ({ score, head, queryIndex, keyIndex }) =>
    add(multiply(score, factors.at(1)), biases.at(head, queryIndex, keyIndex)),
  "a scaled score and a table of consecutive keys": ({ score, head, query, key }) =>
    add(multiply(score, wide.at(1, query, 0)), wide.at(head, query, key)),
  "a scaled score and a table of every other key": ({ score, head, query, key }) =>
    add(multiply(score, wide.at(1, query, 0)), wide.at(head, query, multiply(key, 2))),
  "a table and a scaled score": ({ score, query, key }) =>
    add(biases.at(0, remainder(query, 5), remainder(key, 7)), multiply(0.3, score)),
  "a table of sums and a score that its row scales": ({ score, query, queryIndex, key }) =>
    add(
      multiply(score, add(astype(query, "float32"), 0.1)),
      biases.at(1, 2, subtract(add(key, 1), queryIndex)),
    ),
  "a scaled score less differences": ({ score, query, key }) =>
    subtract(multiply(score, 0.7), multiply(abs(subtract(query, key)), 0.3)),
  "a scaled score less differences times a number of the row": ({ score, query, key }) =>
    subtract(
      multiply(score, 0.7),
      multiply(add(query, 0.5), abs(astype(subtract(query, key), "float32"))),
    ),
  "differences less a scaled score": ({ score, query, key }) =>
    subtract(multiply(abs(subtract(query, key)), 0.3), multiply(score, 0.7)),
  "a scaled score and a product": ({ score, query, key }) =>
    add(multiply(score, 0.7), multiply(astype(multiply(query, key), "float32"), 0.2)),
  "a product and a scaled score": ({ score, query, key }) =>
    add(multiply(astype(query, "float32"), astype(key, "float32")), multiply(score, 0.7)),
  "a score that a key scales, and a table": ({ score, head, key }) =>
    add(multiply(score, astype(key, "float32")), biases.at(head, 1, key)),
  "the scaled sum of a score and a table, and another": ({ score, head, query, key }) =>
    add(multiply(add(score, biases.at(head, 1, key)), -1.5), biases.at(head, 2, query)),
};

test.each(
  [
    ...Object.entries(programs).map(([name, build]): [string, Build] => [
      name,
      (variables) => add(variables.score, build(variables)),
    ]),
    ...Object.entries(scaled),
  ].flatMap(([name, build]) => [1, 3].map((lanes) => ({ name, build, lanes: lanes as 1 | 3 }))),
)("$name, $lanes rows at once", ({ build, lanes }) => {
  const bound = bindProgram(scoreMod(build));
  const evaluate = programEvaluator(bound);
  const tile = new TileProgram(bound, { keys: 8, rows: 9, lanes, ascending: 1 });
  const at = 3;
  const length = panelLength(8, lanes);
  const scores = doubles(at + length + 3);
  for (const batch of [0, 1]) {
    tile.setBatch(batch);
    for (const firstQuery of [0, 1, 9, 4]) {
      const index = Int32Array.from({ length: 9 }, (_, r) => firstQuery + r);
      tile.setRows(9, { head: new Int32Array(9), position: index.map((i) => i + offset), index });
      for (const first of [0, 1, 8, 3, 2, 11]) {
        tile.setKeys(first, 8);
        for (let r = 0; r < 9; r += lanes) {
          scores.fill(0.25);
          tile.changeScores(r, scores, at);
          const given = scores.slice(at, at + 8 * lanes);
          const expected = given.map((_, n) => {
            const key = first + Math.floor(n / lanes);
            const queryIndex = firstQuery + r + (n % lanes);
            const query = queryIndex + offset;
            return evaluate({ batch, head: 0, query, key, queryIndex, keyIndex: key, score: 0.25 });
          });
          expect(given).toEqual(expected);
          const others = [...scores.slice(0, at), ...scores.slice(at + length)];
          expect(others).toEqual(new Array(6).fill(0.25));
        }
      }
    }
  }
});

test("opposites of comparisons, of integers and of floats that are not numbers", () => {
  const isOdd = (x: Parameters<typeof log>[0]) => log(subtract(x, 2));
  for (const bound of [
    maskMod(({ key }) => not(less(isOdd(key), 0.5))),
    maskMod(({ key }) => equal(not(equal(isOdd(key), 0)), true)),
    maskMod(({ key, query }) => notEqual(equal(less(key, query), false), true)),
    maskMod(({ key, query }) => equal(false, lessEqual(key, query))),
    maskMod(({ key }) => not(not(equal(remainder(key, 2), 0)))),
    maskMod(({ key, query }) => equal(true, equal(less(key, query), less(query, 3)))),
  ].map(bindProgram)) {
    const evaluate = programEvaluator(bound);
    const tile = new TileProgram(bound, { keys: 9, rows: 3, lanes: 3 });
    tile.setBatch(0);
    const index = Int32Array.of(2, 3, 4);
    tile.setRows(3, { head: new Int32Array(3), position: index, index });
    tile.setKeys(0, 9);
    const expected = Array.from({ length: 27 }, (_, n) => {
      const key = Math.floor(n / 3);
      const query = 2 + (n % 3);
      return evaluate({
        batch: 0,
        head: 0,
        query,
        key,
        queryIndex: query,
        keyIndex: key,
        score: 0,
      });
    });
    expect([...tile.visible(0)]).toEqual(expected);
  }
});

test("tanh to float32 accuracy", () => {
  let worst = 0;
  for (let n = 0; n < 100_000; n++) {
    const x = (n % 2 === 0 ? 1 : -1) * 1e-9 * Math.exp(n / 4200);
    worst = Math.max(worst, Math.abs(tanhFloat32(x) / Math.tanh(x) - 1));
  }
  expect(worst).toBeGreaterThan(1e-10);
  expect(worst).toBeLessThan(5e-9);
  const { POSITIVE_INFINITY, NEGATIVE_INFINITY, NaN: nan } = Number;
  expect([0, -0, POSITIVE_INFINITY, NEGATIVE_INFINITY, nan].map(tanhFloat32)).toEqual([
    0,
    -0,
    1,
    -1,
    nan,
  ]);
});

test.each([
  [
    "divided by a constant",
    50,
    ({ score }: ScoreVariables) => multiply(tanh(divide(score, 50)), 50),
  ],
  ["divided by 0", 1, ({ score }: ScoreVariables) => tanh(divide(score, scalar(0, "float32")))],
  [
    "times a number of the head",
    3,
    ({ score, head }: ScoreVariables) => multiply(3, tanh(multiply(factors.at(head), score))),
  ],
  ["alone", 1, ({ score }: ScoreVariables) => tanh(score)],
  ["and another", 1, ({ score }: ScoreVariables) => tanh(add(tanh(multiply(score, 2)), 0.1))],
] as const)("a cap to float32 accuracy, %s", (_, cap, build) => {
  const bound = bindProgram(scoreMod(build));
  const evaluate = programEvaluator(bound);
  const values = [-3, 0, 0.5, -0.01, 17, 80, 2000, Number.POSITIVE_INFINITY, Number.NaN];
  const tile = new TileProgram(bound, { keys: 3, rows: 3, lanes: 3, exact: false });
  tile.setBatch(0);
  tile.setRows(3, { head: new Int32Array(3).fill(1), position: [0, 1, 2], index: [0, 1, 2] });
  tile.setKeys(0, 3);
  const scores = doubles(9);
  for (const [n, value] of values.entries()) scores[n] = value;
  tile.changeScores(0, scores, 0);
  for (const [n, score] of values.entries()) {
    const point = { batch: 0, head: 1, query: 0, key: 0, queryIndex: 0, keyIndex: 0, score };
    const expected = evaluate(point);
    if (Number.isNaN(expected)) expect(scores[n]).toBeNaN();
    else expect(Math.abs((scores[n] as number) - expected)).toBeLessThanOrEqual(2e-8 * cap);
  }
});
