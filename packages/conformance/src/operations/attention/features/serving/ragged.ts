import { junk, pick, wrongInteger } from "../../../../calls/junk.js";
import { decodeCall, servingCases, storedCall } from "./bases.js";
import type { ServingFeature } from "./serving-feature.js";

const three = { ...storedCall, batch: 3, queryLength: 9, keyLength: 24 } as const;
const mixed = { queries: [9, 0, 4], keys: [24, 7, 11] } as const;
const positional = { causal: true, queryOffset: "bottom-right" } as const;

/** Sequences of several lengths, one after another in one tensor. */
export const ragged: ServingFeature = {
  factors: {
    ragged: {
      even: {},
      ragged: ({ batch, queryLength, keyLength }) => ({
        ragged: {
          queries: [queryLength, 0, Math.ceil(queryLength / 2)].slice(0, batch),
          keys: [Math.ceil(keyLength / 2), keyLength, 0].slice(0, batch),
        },
      }),
    },
  },
  variations: {
    "a ragged batch": { ragged: { queries: [9, 4], keys: [21, 7] } },
    "a ragged batch of other lengths": { ragged: { queries: [4, 9], keys: [7, 21] } },
  },
  valid: { ...three, ...positional, ragged: mixed },
  tensors: [],
  wrong: {
    "queryStarts are missing": () => ({ queryStarts: undefined }),
    "keyStarts are missing": () => ({ keyStarts: undefined }),
    "queryStarts are junk": (_, random) => ({
      queryStarts: pick(
        random,
        junk.filter((value) => value !== undefined),
      ),
    }),
    "keyStarts are junk": (_, random) => ({ keyStarts: pick(random, junk) }),
    "starts that fall": () => ({ queryStarts: [0, 10, 9, 13] }),
    "starts that overlap the end": () => ({ keyStarts: [0, 24, 50, 42] }),
    "starts that do not begin at 0": () => ({ queryStarts: [1, 9, 9, 13] }),
    "starts that end early": () => ({ queryStarts: [0, 9, 9, 12] }),
    "starts past the end": () => ({ keyStarts: [0, 24, 31, 43] }),
    "negative starts": () => ({ keyStarts: [0, -1, 31, 42] }),
    "a wrong start": (_, random) => ({ queryStarts: [0, 9, wrongInteger(random), 13] }),
    "fewer keys than queries have sequences": () => ({ keyStarts: [0, 24, 42] }),
    "no starts": () => ({ queryStarts: [] }),
    "a batch of 2": (_, random) => ({ query: random.tensor([2, 4, 13, 8], "float32") }),
    "lengths past a sequence's keys": () => ({ kvLengths: [24, 8, 11] }),
    "lengths of another number": () => ({ kvLengths: [24, 7] }),
    "offsets of another number": () => ({ queryOffset: [1, 2] }),
    "no offset": () => ({ queryOffset: undefined }),
    "a mask that varies along queries": (_, random) => ({ mask: random.mask([13, 1], 0.5) }),
    "a mask that varies along keys": (_, random) => ({ mask: random.mask([1, 42], 0.5) }),
    "a bias that varies along keys": (_, random) => ({ bias: random.tensor([42], "float32") }),
    weights: () => ({ returns: { weights: true } }),
    scores: () => ({ returns: { scores: "raw" } }),
  },
  cases: servingCases({
    ragged: { ...three, ragged: mixed },
    "ragged-causal": { ...three, ...positional, ragged: mixed },
    "ragged-square": {
      ...three,
      queryLength: 24,
      causal: true,
      queryOffset: 0,
      ragged: { queries: [24, 1, 5], keys: [24, 1, 5] },
    },
    "ragged-one": { ...three, batch: 1, ...positional, ragged: { queries: [9], keys: [24] } },
    "ragged-empty": { ...three, ...positional, ragged: { queries: [0, 0, 0], keys: [5, 0, 3] } },
    "ragged-no-keys": { ...three, ...positional, ragged: { queries: [9, 2, 3], keys: [0, 0, 0] } },
    "ragged-empty-first-and-last": {
      ...three,
      ...positional,
      ragged: { queries: [0, 9, 0], keys: [0, 24, 3] },
    },
    "ragged-offsets-alibi": { ...three, alibi: true, queryOffset: [0, 5, -3], ragged: mixed },
    "ragged-offsets": { ...three, causal: true, queryOffset: [3, -2, 7], ragged: mixed },
    "ragged-lengths": {
      ...three,
      ...positional,
      kvLengths: [20, 7, 0],
      poison: "NaN",
      ragged: mixed,
    },
    "ragged-window-alibi": {
      ...three,
      queryOffset: "bottom-right",
      window: { left: 3, right: 1 },
      alibi: true,
      ragged: mixed,
    },
    "ragged-sinks": { ...three, ...positional, sinks: true, ragged: mixed },
    "ragged-long": {
      ...storedCall,
      batch: 3,
      queryLength: 130,
      keyLength: 150,
      ...positional,
      ragged: { queries: [130, 3, 65], keys: [150, 129, 65] },
    },
    "ragged-many": {
      ...decodeCall,
      batch: 20,
      headDim: 8,
      queryLength: 3,
      kvLengths: undefined,
      ragged: {
        queries: Array.from({ length: 20 }, (_, s) => (s * 7) % 4),
        keys: Array.from({ length: 20 }, (_, s) => (s * 13) % 65),
      },
    },
    "ragged-poison-neighbour": {
      ...three,
      queryOffset: "bottom-right",
      window: { left: 2, right: 0 },
      poison: "NaN",
      ragged: { queries: [2, 1, 2], keys: [24, 20, 24] },
    },
    "ragged-float16": { ...three, ...positional, dtype: "float16", ragged: mixed },
    "ragged-int8": { ...three, ...positional, kvDtype: "int8", ragged: mixed },
    "ragged-float16-kv": { ...three, ...positional, kvDtype: "float16", ragged: mixed },
    "ragged-blhd": { ...three, ...positional, layout: "blhd", ragged: mixed },
    "ragged-head-mask": {
      ...three,
      ...positional,
      mask: { shape: [4, 1, 1] },
      bias: { shape: [1, 4, 1, 1] },
      ragged: mixed,
    },
    "ragged-pages": {
      ...three,
      ...positional,
      kvLengths: [24, 5, 17],
      poison: "NaN",
      pages: { size: 8 },
      ragged: { queries: [9, 0, 4] },
    },
    "ragged-pages-decode": {
      ...decodeCall,
      pages: { size: 16 },
      poison: "infinity",
      ragged: { queries: [1, 1, 1] },
    },
    "ragged-pages-prefill-and-decode": {
      ...decodeCall,
      queryLength: 40,
      kvLengths: [64, 17, 40],
      kvDtype: "int8",
      pages: { size: 8, shared: 1 },
      ragged: { queries: [1, 17, 40] },
    },
  }),
};
