import fc from "fast-check";
import { junk, pick, wrongInteger } from "../../../calls/junk.js";
import { ofProfile } from "../../../run/case.js";
import { cacheCall, finfoMinCall, smallCall, smallMasked } from "../cases/bases.js";
import { afterDiagonal, emptyRowsBy } from "../cases/extremes.js";
import { faint } from "../cases/finfo-min.js";
import { anyByteBeside, hiddenBy, holes, keys } from "../cases/hidden.js";
import { poisonedBy } from "../cases/numerics.js";
import type { CallFeature } from "./feature.js";

/** How many keys of each batch exist, and what stands in those that do not. */
export const kvLengths: CallFeature = {
  field: "kvLengths",
  isArgument: false,
  positional: true,
  rarity: 0,
  factors: {
    kvLengths: {
      all: {},
      short: ({ batch, keyLength }) => ({
        kvLengths: [keyLength - 2, keyLength, 1].slice(0, batch),
      }),
      zero: ({ batch, keyLength }) => ({ kvLengths: [0, keyLength - 1, 0].slice(0, batch) }),
    },
    hidden: { clean: {}, poisoned: { poison: "NaN" } },
  },
  law: {
    draw: fc.option(fc.tuple(fc.nat(75), fc.nat(75), fc.nat(75)), { nil: undefined }),
    toSpec: (lengths: readonly number[] | undefined, { batch, keyLength }) =>
      lengths
        ? { kvLengths: lengths.slice(0, batch).map((length) => Math.min(length, keyLength)) }
        : {},
  },
  variations: {
    "lengths of the keys": { kvLengths: [21, 20] },
    "other lengths of the keys": { kvLengths: [3, 21] },
  },
  everything: { kvLengths: [71, 60] },
  valid: { kvLengths: [6, 7] },
  wrong: {
    kvLengths: (call, random) =>
      pick(random, [
        ...junk,
        [1],
        [1, 2, 3],
        [1, (call.key.shape[2] as number) + 1],
        [-1, 2],
        [1, wrongInteger(random)],
        new Float32Array(2),
        Int32Array.of(1),
        Int32Array.of(1, -1),
      ]),
  },
  cases: [
    ...ofProfile("core", [
      { id: "core/kv-lengths", spec: { ...smallCall, kvLengths: [5, 11] } },
      { id: "core/kv-lengths-batch3", spec: { ...smallCall, batch: 3, kvLengths: [4, 9, 6] } },
      {
        id: "core/kv-lengths-causal",
        spec: { ...smallCall, kvLengths: [7, 11], causal: true, queryOffset: "bottom-right" },
      },
      // Over several tiles, whatever their size: a batch has its own last tile.
      {
        id: "core/kv-lengths-k150",
        spec: { ...smallCall, keyLength: 150, kvLengths: [5, 150] },
      },
      {
        id: "core/kv-lengths-sinks",
        spec: { ...smallCall, keyLength: 150, kvLengths: [0, 150], sinks: true },
      },
    ]),
    ...ofProfile("decode", [
      {
        id: "decode/long-cache",
        spec: { ...cacheCall, keyLength: 1500, kvLengths: [1500, 1027] },
      },
      {
        id: "decode/cache-32k",
        spec: {
          ...cacheCall,
          batch: 1,
          queryHeads: 2,
          headDim: 8,
          keyLength: 32_768,
          kvLengths: [32_768],
        },
      },
      { id: "decode/empty-cache", spec: { ...cacheCall, kvLengths: [0, 61] } },
      {
        id: "decode/more-queries-than-keys",
        spec: { ...cacheCall, queryLength: 5, kvLengths: [3, 61] },
      },
    ]),
    ...ofProfile("masks", [
      {
        id: "masks/empty-rows-kv-lengths",
        spec: { ...smallMasked, kvLengths: [0, 3], returns: { logSumExp: true, weights: true } },
      },
      {
        id: "masks/empty-rows-kv-lengths-sinks",
        spec: { ...smallMasked, kvLengths: [0, 3], sinks: true, returns: { logSumExp: true } },
      },
      {
        id: "masks/sinks-minus-infinity-empty-rows",
        spec: {
          ...smallMasked,
          kvLengths: [0, 3],
          sinks: [0, -Infinity, 1, -Infinity],
          returns: { logSumExp: true },
        },
      },
      {
        id: "masks/finfo-min-rows-and-kv-lengths",
        spec: { ...finfoMinCall, ...faint, kvLengths: [4, 7], poison: "NaN" },
      },
    ]),
    ...anyByteBeside("kv-lengths", { kvLengths: [5, 7] }),
    ...hiddenBy("mask-and-kv-lengths", { ...keys, kvLengths: [13, 30] }),
    ...hiddenBy("bias-and-kv-lengths", {
      ...holes,
      kvLengths: [13, 30],
      causal: true,
      queryOffset: 25,
    }),
    ...hiddenBy("mask-decode", { ...keys, queryLength: 1, kvLengths: [29, 37] }),
    ...ofProfile("numerics", [
      ...poisonedBy(
        "kv-lengths",
        { batch: 2, queryLength: 9, keyLength: 40, kvLengths: [13, 40] },
        true,
      ),
      ...poisonedBy("kv-lengths-decode", {
        batch: 2,
        queryHeads: 4,
        kvHeads: 2,
        queryLength: 1,
        keyLength: 90,
        kvLengths: [70, 3],
      }),
      ...poisonedBy("kv-lengths-weights", {
        batch: 2,
        queryLength: 9,
        keyLength: 40,
        kvLengths: [13, 40],
        returns: { logSumExp: true, weights: true, scores: "raw" },
      }),
      ...poisonedBy("kv-lengths-0", {
        batch: 2,
        queryLength: 9,
        keyLength: 40,
        kvLengths: [0, 0],
      }),
      ...emptyRowsBy("kv-lengths-and-mask", { kvLengths: [1, 9], mask: afterDiagonal }),
      ...emptyRowsBy("kv-lengths-and-window", {
        kvLengths: [3, 0],
        window: { left: 1 },
        queryOffset: 2,
      }),
      ...emptyRowsBy("kv-lengths-and-causal", {
        kvLengths: [4, 9],
        causal: true,
        queryOffset: "bottom-right",
      }),
    ]),
  ],
};
