import { expect, test } from "vitest";
import { BlockRunsBuilder, blockKinds, writeKinds } from "../../src/program/block-runs.js";
import { classifyBlocks } from "../../src/program/classify-blocks.js";
import { add, lessEqual, multiply } from "../../src/program/functions.js";
import {
  dependence,
  dependencesOf,
  maskMod,
  ProgramBoxes,
  scoreMod,
  table,
} from "../../src/program.js";
import { tensor } from "../../src/tensor.js";

const { empty, partial, full } = blockKinds;
const diagonal = (q: number, Q: number, k: number, K: number) =>
  K - 1 < q ? "full" : k > Q - 1 ? "empty" : "unknown";

function kindsOf(rows: number, columns: number, mostLooks?: number): Uint8Array {
  const builder = new BlockRunsBuilder(rows);
  const looks = mostLooks === undefined ? {} : { mostLooks };
  classifyBlocks(builder, { rows, columns, visibility: diagonal, ...looks });
  const runs = builder.build();
  const kinds = new Uint8Array(rows * columns);
  for (let row = 0; row < rows; row++) writeKinds(runs, row, kinds, row * columns);
  return kinds;
}

test.each([
  [1, 1],
  [7, 5],
  [5, 13],
  [64, 64],
  // More than a strip.
  [1100, 1000],
])("classifies a grid of %i × %i blocks exactly", (rows, columns) => {
  const kinds = kindsOf(rows, columns);
  const wrong = kinds.findIndex((kind, at) => {
    const [q, k] = [Math.floor(at / columns), at % columns];
    return kind !== (k < q ? full : k > q ? empty : partial);
  });
  expect(wrong).toBe(-1);
});

test("says partial where it may not look, and nothing that is wrong", () => {
  for (const most of [0, 1, 3, 10, 40]) {
    const kinds = kindsOf(32, 32, most);
    const right = kinds.every((kind, at) => {
      const [q, k] = [Math.floor(at / 32), at % 32];
      return kind === partial || kind === (k < q ? full : k > q ? empty : partial);
    });
    expect([most, right]).toEqual([most, true]);
  }
  expect(kindsOf(32, 32, 10)).not.toEqual(kindsOf(32, 32, 0));
});

test("a strip of rows is looked at at once, of a byte each for at most 2^20 blocks", () => {
  const largest = (rows: number, columns: number) => {
    let most = 0;
    const visibility = (q: number, Q: number, k: number, K: number) => {
      most = Math.max(most, (Q - q) * (K - k));
      return "full" as const;
    };
    classifyBlocks(new BlockRunsBuilder(rows), { rows, columns, visibility });
    return most;
  };
  expect(largest(1100, 1000)).toBe(1048 * 1000);
  expect(largest(40, 1000)).toBe(40 * 1000);
  expect(largest(2, 2 ** 20 + 1)).toBe(2 ** 20 + 1);
});

test("a classification without blocks has no runs", () => {
  expect(kindsOf(0, 3)).toEqual(new Uint8Array(0));
  expect(kindsOf(3, 0)).toEqual(new Uint8Array(0));
});

test("boxes follow offsets, and positions that are data", () => {
  const boxes = new ProgramBoxes();
  boxes.setBatch(2, { offset: 10, queryPositions: null, keyPositions: Int32Array.of(5, -3, 8, 1) });
  boxes.setHeads(2, 4);
  boxes.setQueries(3, 6);
  boxes.setKeys(1, 4);
  expect(boxes.box).toEqual({
    batch: { lo: 2, hi: 2 },
    head: { lo: 2, hi: 3 },
    query: { lo: 13, hi: 15 },
    queryIndex: { lo: 3, hi: 5 },
    key: { lo: -3, hi: 8 },
    keyIndex: { lo: 1, hi: 3 },
  });
  boxes.setBatch(3, { offset: 0, queryPositions: Int32Array.of(7, 9, 2), keyPositions: null });
  boxes.setQueries(0, 2);
  boxes.setKeys(0, 1);
  expect(boxes.box.query).toEqual({ lo: 7, hi: 9 });
  expect(boxes.box.key).toEqual({ lo: 0, hi: 0 });
});

test("each value of a program depends on what its operands depend on", () => {
  const ids = table(tensor(Int32Array.of(1, 2), [1, 2]));
  const { form } = scoreMod(({ score, batch, head, queryIndex, key }) =>
    add(multiply(score, head), multiply(ids.at(batch, key), queryIndex)),
  );
  const bits = dependencesOf(form);
  expect(bits[bits.length - 1]).toBe(
    dependence.score | dependence.head | dependence.batch | dependence.key | dependence.query,
  );
  const look = form.nodes.findIndex(({ op }) => op === "table");
  expect(bits[look]).toBe(dependence.batch | dependence.key);
  expect([...dependencesOf(maskMod(lessEqual(1, 2)).form)]).toEqual([0]);
});
