import { type HostTensor, InvalidInputError, tensor } from "@heed/core";
import {
  area,
  bigBird,
  bigBirdRandomBlocks,
  causal,
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
import {
  and,
  bindProgram,
  createBlockMask,
  type MaskProgram,
  maskMod,
  not,
  or,
  programEvaluator,
  scalar,
} from "@heed/core/program";
import { describe, expect, test } from "vitest";

type Visible = (b: number, h: number, i: number, j: number) => boolean;

const [batch, heads] = [2, 3];
const int32 = (values: readonly number[], shape: readonly number[]): HostTensor =>
  tensor(Int32Array.from(values), shape);

/** A mask that is written down as a loop would have it, without any of the code under test. */
interface Named {
  readonly mask: () => MaskProgram;
  readonly queries: number;
  readonly keys?: number;
  readonly visible: Visible;
}

const ids = [
  0, 0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 0, 1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 9, 9, 7, 7, 7,
];
const flags = [true, false, false, false, true, false, false, false, false, false, false, false];
const random = [3, 5, 2, 6, 5, 5, 6, 7, 0, 1, 0, 1, 2, 2, 1, 3, ...new Array(32).fill(4)];
const parents = [-1, 0, 0, 1, -1, 4, 2, 6, 0];
/** Whether a draft is another's ancestor, or the draft itself. */
const sees = (draft: number, other: number): boolean =>
  draft === other || (draft > other && other >= 0 && sees(parents[draft] as number, other));
const clamp = (x: number, least: number, most: number) => Math.max(least, Math.min(most, x));

const named: Readonly<Record<string, Named>> = {
  causal: { mask: causal, queries: 9, visible: (_b, _h, i, j) => j <= i },
  "slidingWindow of a number": {
    mask: () => slidingWindow(3),
    queries: 12,
    visible: (_b, _h, i, j) => i - 3 <= j && j <= i,
  },
  "slidingWindow to the right": {
    mask: () => slidingWindow({ right: 2 }),
    queries: 9,
    visible: (_b, _h, i, j) => j <= i + 2,
  },
  "slidingWindow of both sides": {
    mask: () => slidingWindow({ left: 1, right: 2 }),
    queries: 9,
    keys: 14,
    visible: (_b, _h, i, j) => i - 1 <= j && j <= i + 2,
  },
  prefixLM: { mask: () => prefixLM(4), queries: 9, visible: (_b, _h, i, j) => j < 4 || j <= i },
  "prefixLM of each batch entry": {
    mask: () => prefixLM(int32([2, 6], [2])),
    queries: 9,
    visible: (b, _h, i, j) => j < (b === 0 ? 2 : 6) || j <= i,
  },
  document: {
    mask: () => document(int32(ids, [2, 16])),
    queries: 16,
    visible: (b, _h, i, j) => ids[b * 16 + i] === ids[b * 16 + j],
  },
  "causal documents": {
    mask: () => maskMod(and(causal(), document(int32(ids, [2, 16])))),
    queries: 16,
    visible: (b, _h, i, j) => j <= i && ids[b * 16 + i] === ids[b * 16 + j],
  },
  dilated: {
    mask: () => dilated({ dilation: 3 }),
    queries: 11,
    visible: (_b, _h, i, j) => (i - j) % 3 === 0,
  },
  "dilated window": {
    mask: () => dilated({ dilation: 2, left: 3, right: 1 }),
    queries: 15,
    visible: (_b, _h, i, j) => (i - j) % 2 === 0 && i - 6 <= j && j <= i + 2,
  },
  bigBird: {
    mask: () => bigBird({ length: 30, block: 4, random: int32(random, [3, 8, 2]) }),
    queries: 30,
    visible: (_b, h, i, j) => {
      const [q, k] = [Math.floor(i / 4), Math.floor(j / 4)];
      const at = (h * 8 + q) * 2;
      const isGlobal = [q, k].some((x) => x === 0 || x === 7);
      return isGlobal || Math.abs(q - k) <= 1 || random[at] === k || random[at + 1] === k;
    },
  },
  longformer: {
    mask: () => longformer({ window: 2, global: tensor(flags, [1, 12]) }),
    queries: 12,
    visible: (_b, _h, i, j) => Math.abs(i - j) <= 2 || flags[i] === true || flags[j] === true,
  },
  neighbourhood: {
    mask: () => neighbourhood({ height: 5, width: 7, kernel: 3 }),
    queries: 35,
    visible: (_b, _h, i, j) => {
      const [r, c] = [Math.floor(i / 7), i % 7];
      const [top, left] = [clamp(r - 1, 0, 2), clamp(c - 1, 0, 4)];
      const [y, x] = [Math.floor(j / 7), j % 7];
      return top <= y && y < top + 3 && left <= x && x < left + 3;
    },
  },
  "neighbourhood with an even, flat kernel": {
    mask: () => neighbourhood({ height: 4, width: 6, kernel: [1, 4] }),
    queries: 24,
    visible: (_b, _h, i, j) => {
      const left = clamp((i % 6) - 2, 0, 2);
      return Math.floor(i / 6) === Math.floor(j / 6) && left <= j % 6 && j % 6 < left + 4;
    },
  },
  swin: {
    mask: () => swin({ height: 4, width: 8, window: 4 }),
    queries: 32,
    visible: (_b, _h, i, j) => Math.floor((i % 8) / 4) === Math.floor((j % 8) / 4),
  },
  "swin, shifted": {
    mask: () => swin({ height: 8, width: 4, window: 4, shift: 1 }),
    queries: 32,
    // Windows of the shifted image start at row 1 and 5, so rows 0, 1 to 4 and 5 to 7 are apart; columns likewise.
    visible: (_b, _h, i, j) => {
      const part = (place: number, ends: number[]) => ends.filter((end) => place >= end).length;
      const rows = [i, j].map((token) => part(Math.floor(token / 4), [1, 5]));
      const columns = [i, j].map((token) => part(token % 4, [1]));
      return rows[0] === rows[1] && columns[0] === columns[1];
    },
  },
  area: {
    mask: () => area({ length: 12, areas: 3 }),
    queries: 12,
    visible: (_b, _h, i, j) => Math.floor(i / 4) === Math.floor(j / 4),
  },
  tree: {
    mask: () => tree({ parents, prefix: 5 }),
    queries: 9,
    keys: 17,
    visible: (_b, _h, i, j) => j < 5 || sees(i, j - 5),
  },
  "tree with a prefix of each batch entry": {
    mask: () =>
      tree({ parents: int32([...parents, ...parents], [2, 9]), prefix: int32([3, 6], [2]) }),
    queries: 9,
    keys: 15,
    visible: (b, _h, i, j) => j < (b === 0 ? 3 : 6) || sees(i, j - (b === 0 ? 3 : 6)),
  },
};

describe.each(Object.entries(named))("%s", (_, { mask, queries, keys = queries, visible }) => {
  test("sees what its paper says", () => {
    const evaluate = programEvaluator(bindProgram(mask()));
    for (let b = 0; b < batch; b++)
      for (let h = 0; h < heads; h++)
        for (let i = 0; i < queries; i++)
          for (let j = 0; j < keys; j++) {
            const point = { batch: b, head: h, query: i, key: j, queryIndex: i, keyIndex: j };
            expect([i, j, evaluate(point)]).toEqual([i, j, visible(b, h, i, j) ? 1 : 0]);
          }
  });

  test("as a block mask", () => {
    const sizes = { batch, heads, queryLength: queries, keyLength: keys };
    const blocks = createBlockMask(mask(), { ...sizes, queryBlock: 4, keyBlock: 3 });
    for (let b = 0; b < batch; b++)
      for (let h = 0; h < heads; h++)
        for (let q = 0; 4 * q < queries; q++)
          for (let k = 0; 3 * k < keys; k++) {
            const seen = new Set<boolean>();
            for (let i = 4 * q; i < Math.min(queries, 4 * q + 4); i++)
              for (let j = 3 * k; j < Math.min(keys, 3 * k + 3); j++) seen.add(visible(b, h, i, j));
            expect([q, k, blocks.kind(b, h, q, k)]).toEqual([
              q,
              k,
              seen.size === 2 ? "partial" : seen.has(true) ? "full" : "empty",
            ]);
          }
  });
});

test("masks are combined", () => {
  const combined = maskMod(or(and(causal(), slidingWindow({ left: 2 })), not(prefixLM(scalar(2)))));
  expect(combined.toString()).toBe(
    "v0 = key <= query\nv0 and query - 2 <= key or not (key < scalar0 or v0)",
  );
});

test("swinBias adds the bias of the distance from key to query", () => {
  const bias = Float32Array.from({ length: 9 * 2 }, (_, i) => i);
  const program = swinBias(tensor(bias, [9, 2]), { height: 4, width: 4, window: 2, shift: 1 });
  const evaluate = programEvaluator(bindProgram(program));
  const at = (query: number, key: number, head: number) =>
    evaluate({ batch: 0, head, query, key, queryIndex: query, keyIndex: key, score: 100 });
  // Pixel 5 is (0, 0) of a window that is shifted by 1, 10 is its (1, 1).
  expect(at(5, 5, 0)).toBe(100 + (1 * 3 + 1) * 2);
  expect(at(10, 5, 1)).toBe(100 + (2 * 3 + 2) * 2 + 1);
  expect(at(5, 10, 0)).toBe(100);
});

test("random blocks of bigBird differ from each other, from globals and from the window", () => {
  const options = { length: 160, block: 10, heads: 2, count: 3, seed: 7 };
  const blocks = bigBirdRandomBlocks(options);
  expect(blocks.shape).toEqual([2, 16, 3]);
  for (let row = 0; row < 32; row++) {
    const picks = [...blocks.data.subarray(3 * row, 3 * row + 3)];
    expect(new Set(picks).size).toBe(3);
    for (const k of picks) expect(k > 0 && k < 15 && Math.abs(k - (row % 16)) > 1).toBe(true);
  }
  expect(bigBirdRandomBlocks(options).data).toEqual(blocks.data);
  expect(bigBirdRandomBlocks({ ...options, seed: 8 }).data).not.toEqual(blocks.data);
  expect(
    bigBirdRandomBlocks({ ...options, length: 20 }).data.every((k) => k === 0 || k === 1),
  ).toBe(true);
});

test.each<[string, () => unknown]>([
  ["window", () => slidingWindow({})],
  ["window.left", () => slidingWindow(-1)],
  ["window.size", () => slidingWindow({ size: 3 } as never)],
  ["prefix", () => prefixLM(0.5)],
  ["prefix", () => prefixLM(tensor([1, 2], [2]))],
  ["documents", () => document(int32([1, 2], [2]))],
  ["dilation", () => dilated({ dilation: 0 })],
  ["left", () => dilated({ dilation: 1, left: 1.5 })],
  ["random", () => bigBird({ length: 30, block: 4, random: int32([1, 2], [1, 2, 1]) })],
  ["block", () => bigBird({ length: 30, block: 0 })],
  ["global", () => longformer({ window: 2, global: int32([1], [1, 1]) })],
  ["kernel", () => neighbourhood({ height: 4, width: 4, kernel: 5 })],
  ["height", () => swin({ height: 6, width: 8, window: 4 })],
  ["shift", () => swin({ height: 8, width: 8, window: 4, shift: 4 })],
  ["bias", () => swinBias(tensor([1], [1, 1]), { height: 8, width: 8, window: 4 })],
  ["length", () => area({ length: 10, areas: 3 })],
  ["options.size", () => area({ length: 10, areas: 2, size: 5 } as never)],
  ["parents", () => tree({ parents: [0], prefix: 0 })],
  ["parents", () => tree({ parents: [-1, 2, 0], prefix: 0 })],
  ["parents", () => tree({ parents: [], prefix: 0 })],
])("%s is at fault", (argument, run) => {
  let caught: unknown;
  try {
    run();
  } catch (error) {
    caught = error;
  }
  expect(caught).toBeInstanceOf(InvalidInputError);
  expect((caught as InvalidInputError).argument).toBe(argument);
});
