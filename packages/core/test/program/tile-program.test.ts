/** Programs on tiles whose values depend on the difference of key and query, and on few integers. */
import {
  abs,
  add,
  bindProgram,
  multiply,
  programEvaluator,
  type ScoreVariables,
  scoreMod,
  subtract,
  TileProgram,
  table,
} from "@heed/core/program";
import { expect, test } from "vitest";
import { tensor } from "../../src/index.js";

const factors = table(tensor(Float32Array.of(0.5, -3), [2]));
const offset = 5;

const programs: Readonly<Record<string, (variables: ScoreVariables) => Parameters<typeof add>[0]>> =
  {
    "query − key": ({ query, key }) => multiply(subtract(query, key), 0.5),
    "queryIndex − keyIndex": ({ queryIndex, keyIndex }) => abs(subtract(queryIndex, keyIndex)),
    "differences of positions and of indices": ({ query, key, queryIndex, keyIndex }) =>
      multiply(subtract(key, query), subtract(keyIndex, queryIndex)),
    "a factor of the batch entry": ({ batch, query, key }) =>
      multiply(factors.at(batch), subtract(key, query)),
    "the absolute value of the least integer": ({ key }) => abs(add(key, -(2 ** 31))),
  };

test.each(Object.entries(programs))("%s", (_, build) => {
  const bound = bindProgram(scoreMod((variables) => add(variables.score, build(variables))));
  const evaluate = programEvaluator(bound);
  const tile = new TileProgram(bound, 8, 4);
  for (const batch of [0, 1]) {
    tile.setBatch(batch);
    for (const first of [0, 8, 3]) {
      tile.setKeys(first, 8);
      for (const queryIndex of [0, 1, 2, 9, 4]) {
        tile.score.fill(0.25);
        const query = queryIndex + offset;
        const given = Array.from(tile.run(0, query, queryIndex));
        const expected = given.map((_, j) => {
          const key = first + j;
          return evaluate({ batch, head: 0, query, key, queryIndex, keyIndex: key, score: 0.25 });
        });
        expect(given).toEqual(expected);
      }
    }
  }
});
