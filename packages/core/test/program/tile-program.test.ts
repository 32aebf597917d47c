/** Programs on tiles whose values depend on the difference of key and query, and on few integers. */
import {
  abs,
  add,
  astype,
  bindProgram,
  doubles,
  multiply,
  panelLength,
  programEvaluator,
  remainder,
  type ScoreVariables,
  scoreMod,
  subtract,
  TileProgram,
  table,
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
const offset = 5;

const programs: Readonly<Record<string, (variables: ScoreVariables) => Parameters<typeof add>[0]>> =
  {
    "query − key": ({ query, key }) => multiply(subtract(query, key), 0.5),
    "queryIndex − keyIndex": ({ queryIndex, keyIndex }) => abs(subtract(queryIndex, keyIndex)),
    "differences of positions and of indices": ({ query, key, queryIndex, keyIndex }) =>
      multiply(subtract(key, query), subtract(keyIndex, queryIndex)),
    "a factor of the batch entry": ({ batch, query, key }) =>
      multiply(factors.at(batch), subtract(key, query)),
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
    "a product of rows and keys": ({ key, query }) =>
      multiply(astype(query, "float32"), astype(key, "float32")),
    "the absolute value of the least integer": ({ key }) => abs(add(key, -(2 ** 31))),
  };

test.each(
  Object.entries(programs).flatMap(([name, build]) =>
    [1, 3].map((lanes) => ({ name, build, lanes: lanes as 1 | 3 })),
  ),
)("$name, $lanes rows at once", ({ build, lanes }) => {
  const bound = bindProgram(scoreMod((variables) => add(variables.score, build(variables))));
  const evaluate = programEvaluator(bound);
  const tile = new TileProgram(bound, { keys: 8, rows: 9, lanes, ascending: 1 });
  const scores = doubles(3 + panelLength(8, lanes));
  const at = 3;
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
        }
      }
    }
  }
});
