/** Options of named masks: what they may not be, with the whole of what errors say, and the programs that they make. */
import { type HostTensor, tensor } from "@heed/core";
import {
  area,
  bigBird,
  bigBirdRandomBlocks,
  dilated,
  document,
  longformer,
  neighbourhood,
  prefixLM,
  slidingWindow,
  swin,
  swinBias,
  tree,
} from "@heed/core/masks";
import { describe, expect, test } from "vitest";
import { errorOf } from "./error-of.js";

const int32 = (values: readonly number[], ...shape: number[]): HostTensor<"int32"> =>
  tensor(Int32Array.from(values), shape);
const f32 = (...shape: number[]) =>
  tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
const bools = tensor([true, false], [1, 2]);
const image = { height: 4, width: 6 };
const blocks = { length: 30, block: 4 };
const picks = { ...blocks, heads: 1, count: 1, seed: 0 };

const [one, zero] = ["an integer ≥ 1", "an integer ≥ 0"];
test.each<[string, () => unknown, string, string]>([
  ["window", () => slidingWindow({}), "left or right", "an object with no members"],
  ["window", () => slidingWindow(null as never), "an object", "null"],
  ["window.left", () => slidingWindow(-1), zero, "-1"],
  ["window.left", () => slidingWindow({ left: 0.5 }), zero, "0.5"],
  ["window.right", () => slidingWindow({ right: -1 }), zero, "-1"],
  ["window.size", () => slidingWindow({ size: 3 } as never), "only left, right", '"size"'],
  ["prefix", () => prefixLM(0.5), "a 32-bit integer", "0.5"],
  ["prefix", () => prefixLM(2 ** 31), "a 32-bit integer", "2147483648"],
  ["prefix", () => prefixLM(f32(2)), "int32 of shape [any]", "float32 of shape [2]"],
  ["prefix", () => prefixLM(int32([1], 1, 1)), "int32 of shape [any]", "int32 of shape [1, 1]"],
  ["documents", () => document(int32([1], 1)), "int32 of shape [any, any]", "int32 of shape [1]"],
  ["documents", () => document(bools), "int32 of shape [any, any]", "bool of shape [1, 2]"],
  ["dilation", () => dilated({ dilation: 0 }), one, "0"],
  ["left", () => dilated({ dilation: 1, left: -1 }), zero, "-1"],
  ["right", () => dilated({ dilation: 1, right: -1 }), zero, "-1"],
  [
    "options.step",
    () => dilated({ dilation: 1, step: 1 } as never),
    "only dilation, left, right",
    '"step"',
  ],
  ["length", () => bigBird({ length: 0, block: 4 }), one, "0"],
  ["block", () => bigBird({ length: 30, block: 0 }), one, "0"],
  ["globalBlocks", () => bigBird({ ...blocks, globalBlocks: -1 }), zero, "-1"],
  ["windowBlocks", () => bigBird({ ...blocks, windowBlocks: -1 }), zero, "-1"],
  [
    "random",
    () => bigBird({ ...blocks, random: int32([1], 1, 1, 1) }),
    "int32 of shape [any, 8, any]",
    "int32 of shape [1, 1, 1]",
  ],
  [
    "options.heads",
    () => bigBird({ ...blocks, heads: 1 } as never),
    "only length, block, globalBlocks, windowBlocks, random",
    '"heads"',
  ],
  ["length", () => bigBirdRandomBlocks({ ...picks, length: 0 }), one, "0"],
  ["block", () => bigBirdRandomBlocks({ ...picks, block: 0 }), one, "0"],
  ["heads", () => bigBirdRandomBlocks({ ...picks, heads: 0 }), one, "0"],
  ["count", () => bigBirdRandomBlocks({ ...picks, count: 0 }), one, "0"],
  ["seed", () => bigBirdRandomBlocks({ ...picks, seed: 0.5 }), "an integer ≥ -2147483648", "0.5"],
  [
    "options.seeds",
    () => bigBirdRandomBlocks({ ...picks, seeds: 1 } as never),
    "only length, block, globalBlocks, windowBlocks, random, heads, count, seed",
    '"seeds"',
  ],
  ["window", () => longformer({ window: -1, global: bools }), zero, "-1"],
  [
    "global",
    () => longformer({ window: 1, global: int32([1], 1, 1) }),
    "bool of shape [any, any]",
    "int32 of shape [1, 1]",
  ],
  [
    "options.globals",
    () => longformer({ window: 1, global: bools, globals: 1 } as never),
    "only window, global",
    '"globals"',
  ],
  ["kernel", () => neighbourhood({ ...image, kernel: 5 }), "at most the image's size 4", "5"],
  ["kernel", () => neighbourhood({ ...image, kernel: [4, 7] }), "at most the image's size 6", "7"],
  ["kernel", () => neighbourhood({ ...image, kernel: [0, 1] }), one, "0"],
  ["height", () => neighbourhood({ width: 4, kernel: 1 } as never), one, "undefined"],
  ["width", () => neighbourhood({ height: 4, width: 0, kernel: 1 }), one, "0"],
  [
    "options.size",
    () => neighbourhood({ ...image, kernel: 1, size: 1 } as never),
    "only kernel, height, width",
    '"size"',
  ],
  ["window", () => swin({ ...image, window: 0 }), one, "0"],
  ["shift", () => swin({ ...image, window: 2, shift: -1 }), zero, "-1"],
  ["shift", () => swin({ ...image, window: 2, shift: 2 }), "less than the window's size 2", "2"],
  ["height", () => swin({ ...image, height: 5, window: 2 }), "a multiple of window 2", "5"],
  ["width", () => swin({ ...image, width: 5, window: 2 }), "a multiple of window 2", "5"],
  [
    "bias",
    () => swinBias(f32(8, 2), { ...image, window: 2 }),
    "float32 of shape [9, any]",
    "float32 of shape [8, 2]",
  ],
  ["length", () => area({ length: 10, areas: 3 }), "a multiple of areas 3", "10"],
  ["length", () => area({ length: 0, areas: 3 }), one, "0"],
  ["areas", () => area({ length: 10, areas: 0 }), one, "0"],
  [
    "options.size",
    () => area({ length: 10, areas: 2, size: 5 } as never),
    "only length, areas",
    '"size"',
  ],
  [
    "parents",
    () => tree({ parents: [0], prefix: 0 }),
    "of draft 0 one of the drafts before it, or −1",
    "0",
  ],
  [
    "parents",
    () => tree({ parents: [-1, 0, -2], prefix: 0 }),
    "of draft 2 one of the drafts before it, or −1",
    "-2",
  ],
  ["parents", () => tree({ parents: [], prefix: 0 }), "at least one draft", "none"],
  [
    "parents",
    () => tree({ parents: f32(1, 2), prefix: 0 }),
    "int32 of shape [drafts] or [batch, drafts]",
    "float32 of shape [1, 2]",
  ],
  [
    "parents",
    () => tree({ parents: int32([-1], 1, 1, 1), prefix: 0 }),
    "int32 of shape [drafts] or [batch, drafts]",
    "int32 of shape [1, 1, 1]",
  ],
  [
    "options.parent",
    () => tree({ parents: [-1], prefix: 0, parent: 1 } as never),
    "only parents, prefix",
    '"parent"',
  ],
])("%s is at fault", (argument, run, expected, actual) => {
  const error = errorOf(run);
  expect([error.argument, error.expected, error.actual]).toEqual([argument, expected, actual]);
});

describe("programs have nothing that their options do not need", () => {
  test.each([
    [slidingWindow({ left: 2 }), "query - 2 <= key"],
    [slidingWindow({ right: 0 }), "key <= query"],
    [slidingWindow(0), "query <= key and key <= query"],
    [dilated({ dilation: 3 }), "(query - key) % 3 == 0"],
    [dilated({ dilation: 3, left: 0 }), "v0 = query - key\nv0 % 3 == 0 and v0 <= 0"],
    [area({ length: 6, areas: 2 }), "query // 3 == key // 3"],
    [prefixLM(2), "key < 2 or key <= query"],
    [document(int32([1, 2], 1, 2)), "table0[batch, query] == table0[batch, key]"],
  ])("%s", (program, text) => {
    expect(program.toString()).toBe(text);
  });

  test("windows that are not shifted", () => {
    const text = swin({ ...image, window: 2 }).toString();
    expect(text).not.toMatch(/>=|-/);
    expect(swin({ ...image, window: 2, shift: 1 }).toString()).toMatch(/>=/);
    expect(swin({ ...image, window: 2, shift: 0 }).toString()).toBe(text);
  });

  test("blocks without a window, without global ones and without random ones", () => {
    const text = (options: object) => bigBird({ ...blocks, ...options }).toString();
    expect(text({})).not.toMatch(/table/);
    expect(text({ windowBlocks: 0 })).not.toMatch(/abs/);
    expect(text({ random: int32(new Array(16).fill(1), 1, 8, 2) }).match(/table0/g)).toHaveLength(
      2,
    );
  });
});

test("random blocks are those that a seed gives, each once while there are enough", () => {
  const of = (options: object) => [...bigBirdRandomBlocks({ ...picks, ...options }).data];
  const all = { length: 8, block: 1, globalBlocks: 0, windowBlocks: 0, count: 8 };
  for (let row = 0; row < 8; row++) {
    const own = of(all).slice(8 * row, 8 * row + 8);
    expect(own.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  }
  // There are eight blocks: one at each end is global, and three are near.
  for (const [row, k] of of({ length: 32, count: 1 }).entries()) {
    expect(k > 0 && k < 7 && Math.abs(k - row) > 1).toBe(true);
  }
  // A block picks itself where no other is left; where there are fewer than asked for, they come again.
  expect(of({ length: 8, block: 4 })).toEqual([0, 1]);
  expect(
    of({ length: 20, block: 4, count: 4 })
      .slice(0, 4)
      .every((k) => k === 2 || k === 3),
  ).toBe(true);
  expect(of({ seed: 5 })).toEqual(of({ seed: 5 }));
});
