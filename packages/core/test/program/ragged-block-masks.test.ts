/** Block masks of a ragged batch: where their blocks are, and for which sequences they suffice. */
import {
  type AttentionInputs,
  type HostTensor,
  referenceAttention,
  tensor,
  zeros,
} from "@heed/core";
import { causal } from "@heed/core/masks";
import {
  and,
  createBlockMask,
  equal,
  less,
  type MaskProgram,
  maskMod,
  or,
  where,
} from "@heed/core/program";
import { expect, test } from "vitest";
import { errorOf } from "./error-of.js";
import { filled } from "./filled.js";

const ofData = (shape: readonly number[], queryBlock: number, keyBlock: number) => ({
  mask: zeros("bool", shape),
  queryBlock,
  keyBlock,
});
const inputs = {
  query: filled([1, 2, 6, 3], 1),
  key: filled([1, 2, 8, 3], 2),
  value: filled([1, 2, 8, 2], 3),
  queryStarts: [0, 2, 2, 6],
  keyStarts: [0, 3, 4, 8],
};
const ofRows = (more: Partial<AttentionInputs<HostTensor>>) => {
  const { output, logSumExp } = referenceAttention({
    ...inputs,
    returns: { logSumExp: true },
    ...more,
  });
  return [output.data, logSumExp?.data];
};
const longest = {
  batch: 3,
  heads: 2,
  queryLength: 4,
  keyLength: 4,
  queryBlock: 2,
  keyBlock: 3,
};

test("count from each sequence's start", () => {
  // Blocks of 3 queries and 2 keys: one sequence sees its last key alone, another all but two.
  const mask = tensor([0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1].map(Boolean), [3, 1, 2, 2]);
  const sees = maskMod(({ batch, queryIndex, keyIndex }) =>
    where(
      equal(batch, 0),
      less(1, keyIndex),
      and(equal(batch, 2), or(less(keyIndex, 2), less(2, queryIndex))),
    ),
  );
  expect(ofRows({ blockMask: { mask, queryBlock: 3, keyBlock: 2 } })).toEqual(
    ofRows({ maskMod: sees }),
  );
});

test("of one sequence serve all, and may be longer than any", () => {
  const mask = tensor([true, false, true, true, true, false], [1, 1, 3, 2]);
  expect(ofRows({ blockMask: { mask, queryBlock: 2, keyBlock: 2 } })).toEqual(
    ofRows({
      maskMod: maskMod(({ queryIndex, keyIndex }) => or(less(keyIndex, 2), less(1, queryIndex))),
    }),
  );
});

test.each<[string, MaskProgram, Partial<AttentionInputs<HostTensor>>, object]>([
  ["the same offset", causal(), { queryOffset: 0 }, {}],
  ["offsets", causal(), { queryOffset: [1, 0, 2] }, { queryOffset: [1, 0, 2] }],
  ["the ends of sequences", causal(), { queryOffset: "bottom-right" }, { queryOffset: [1, 1, 0] }],
  ["a program of sequences", maskMod(({ batch, key }) => less(batch, key)), {}, {}],
  [
    "positions",
    causal(),
    {
      queryPositions: tensor(Int32Array.of(5, 1, 0, 7, 3, 2), [1, 6]),
      keyPositions: tensor(Int32Array.of(4, 0, 6, 9, 1, 2, 8, 3), [1, 8]),
    },
    {
      // Positions behind a sequence's end count for no call.
      queryPositions: tensor(Int32Array.of(5, 1, 9, 9, 0, 0, 0, 0, 0, 7, 3, 2), [3, 4]),
      keyPositions: tensor(Int32Array.of(4, 0, 6, 0, 9, 0, 0, 0, 1, 2, 8, 3), [3, 4]),
    },
  ],
])("are made by a program at %s", (_, program, where, made) => {
  const blockMask = createBlockMask(program, { ...longest, ...made });
  expect(ofRows({ blockMask, ...where })).toEqual(ofRows({ maskMod: program, ...where }));
});

test.each<[string, Partial<AttentionInputs<HostTensor>>]>([
  ["too few blocks of queries", { blockMask: ofData([3, 1, 1, 1], 3, 4) }],
  ["too few blocks of keys", { blockMask: ofData([1, 1, 1, 1], 4, 3) }],
  ["another number of sequences", { blockMask: ofData([2, 1, 1, 1], 4, 4) }],
  ["another number of heads", { blockMask: ofData([1, 3, 1, 1], 4, 4) }],
  [
    "one made for fewer queries",
    { blockMask: createBlockMask(causal(), { ...longest, queryLength: 3 }), queryOffset: 0 },
  ],
  [
    "one made for fewer keys",
    { blockMask: createBlockMask(causal(), { ...longest, keyLength: 3 }), queryOffset: 0 },
  ],
  [
    "one made for other sequences",
    {
      blockMask: createBlockMask(
        maskMod(({ batch, key }) => less(batch, key)),
        { ...longest, batch: 2 },
      ),
    },
  ],
  [
    "one made for sequences' starts",
    { blockMask: createBlockMask(causal(), longest), queryOffset: "bottom-right" },
  ],
  [
    "other positions",
    {
      blockMask: createBlockMask(causal(), {
        ...longest,
        queryPositions: tensor(Int32Array.of(5, 1, 0, 0), [1, 4]),
        keyPositions: tensor(Int32Array.of(0, 1, 2, 3), [1, 4]),
      }),
      queryPositions: tensor(Int32Array.of(5, 1, 5, 1, 0, 1), [1, 6]),
      keyPositions: tensor(Int32Array.of(0, 1, 2, 0, 0, 1, 2, 3), [1, 8]),
    },
  ],
])("%s", (_, more) => {
  expect(errorOf(() => ofRows(more)).argument).toBe("blockMask");
});

test("what would suffice is said", () => {
  expect(() => ofRows({ blockMask: ofData([1, 1, 1, 1], 3, 4) })).toThrow(
    "blocks for the longest sequence's 4 queries and the longest one's 4 keys",
  );
});
