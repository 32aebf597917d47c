import {
  add,
  bindProgram,
  doubles,
  equal,
  lessEqual,
  type MaskVariables,
  maskMod,
  not,
  panelLength,
  programEvaluator,
  remainder,
  subtract,
  TileProgram,
} from "@heed/core/program";
import { expect, test, vi } from "vitest";
import { HiddenKeys } from "../src/attention/hidden-keys.js";

const rows = 10;
const keys = 7;

const repeats = ({ query, key }: MaskVariables) => equal(remainder(key, 2), remainder(query, 2));
const causal = ({ query, key }: MaskVariables) => lessEqual(subtract(key, 2), query);
const allButOne = ({ query, key }: MaskVariables) =>
  not(equal(remainder(key, 4), add(remainder(query, 2), 1)));

test.each(
  [
    { name: "rows of two classes", build: repeats, runs: { 1: 2, 3: 1 } },
    { name: "rows that hide one key", build: allButOne, runs: { 1: 2, 3: 1 } },
    { name: "rows that all differ", build: causal, runs: { 1: 10, 3: 4 } },
  ].flatMap((all) => ([1, 3] as const).map((lanes) => ({ ...all, lanes }))),
)("$name, $lanes at once", ({ build, runs, lanes }) => {
  const bound = bindProgram(maskMod(build));
  const evaluate = programEvaluator(bound);
  const mask = new TileProgram(bound, { keys, rows, lanes });
  const visible = vi.spyOn(mask, "visible");
  const hidden = new HiddenKeys(mask, keys, rows, lanes);
  const index = Int32Array.from({ length: rows }, (_, r) => r);
  mask.setBatch(0);
  mask.setRows(rows, { head: new Int32Array(rows), position: index, index });
  for (const [first, count] of [
    [0, keys],
    [3, 4],
  ] as const) {
    mask.setKeys(first, count);
    hidden.startTile(count);
    visible.mockClear();
    for (let r = 0; r < rows; r += lanes) {
      const scores = doubles(panelLength(keys, lanes)).fill(Number.NaN);
      const panel = Math.min(lanes, rows - r);
      hidden.hide(r, panel, scores, 0);
      for (let j = 0; j < count; j++) {
        for (let lane = 0; lane < panel; lane++) {
          const [query, key] = [r + lane, first + j];
          const at = { batch: 0, head: 0, query, key, queryIndex: query, keyIndex: key, score: 0 };
          const score = evaluate(at) ? Number.NaN : Number.NEGATIVE_INFINITY;
          expect(scores[j * lanes + lane], `row ${query}, key ${key}`).toBe(score);
        }
      }
    }
    expect(visible).toHaveBeenCalledTimes(runs[lanes]);
  }
});
