import { tensor } from "@heed/core";
import { pick, wrongInteger } from "../../../../calls/junk.js";
import { decodeCall, servingCases, storedCall } from "./bases.js";
import type { ServingFeature } from "./serving-feature.js";

const table = (...entries: number[]) => ({
  pageTable: tensor(Int32Array.from(entries), [2, entries.length / 2]),
});

/** Keys and values in pages. */
export const pages: ServingFeature = {
  factors: {
    pages: {
      "in-place": {},
      "pages-4": { pages: { size: 4 } },
      "pages-1": { pages: { size: 1 } },
      "page-of-all": ({ keyLength }) => ({ pages: { size: keyLength } }),
      "pages-shared": { pages: { size: 2, shared: 1 } },
    },
  },
  variations: {
    "keys in pages of 7": { pages: { size: 7 }, queryOffset: 5 },
    "keys in pages of 3": { pages: { size: 3 }, queryOffset: 5 },
  },
  valid: { ...storedCall, pages: { size: 4 }, kvLengths: [12, 5] },
  tensors: ["pageTable"],
  wrong: {
    "kvLengths is missing": () => ({ kvLengths: undefined }),
    "a length past the pages": () => ({ kvLengths: [13, 5] }),
    "a negative length": () => ({ kvLengths: [12, -1] }),
    "a used entry of −1": () => table(0, 1, -1, 2, 3, -1),
    "an entry past the last page": ({ key }) => table(0, key.shape[0] as number, 1, 2, 3, -1),
    "an entry far outside": () => table(0, 2 ** 31 - 1, 1, 2, 3, -1),
    "a row too few": () => ({ pageTable: tensor(Int32Array.from([0, 1, 2]), [1, 3]) }),
    "a table of floats": (_, random) => ({ pageTable: random.tensor([2, 3], "float32") }),
    "a table of rank 1": () => ({ pageTable: tensor(Int32Array.from([0, 1, 2]), [3]) }),
    "a plain array": () => ({ pageTable: [0, 1, 2, 3, 4, 5] }),
    "a value with other pages": (_, random) => ({
      value: random.tensor([5, 2, 4, 8], "float32"),
    }),
    "a wrong page size of the value": ({ key }, random) => ({
      value: random.tensor([key.shape[0] as number, 2, 3, 8], "float32"),
    }),
    "a wrong length": (_, random) => ({ kvLengths: [4, pick(random, [wrongInteger(random), 99])] }),
    "starts of keys beside pages": () => ({ keyStarts: [0, 4, 8] }),
  },
  cases: servingCases({
    "pages-of-4": { ...storedCall, pages: { size: 4 } },
    "pages-of-16-decode": { ...decodeCall, pages: { size: 16 } },
    "pages-of-16-one-head": { ...decodeCall, queryHeads: 1, kvHeads: 1, pages: { size: 16 } },
    "pages-of-16-mqa": { ...decodeCall, queryHeads: 3, kvHeads: 1, pages: { size: 16 } },
    "pages-float16-mqa": {
      ...decodeCall,
      queryHeads: 3,
      kvHeads: 1,
      kvDtype: "float16",
      pages: { size: 8 },
    },
    "pages-of-1-decode": { ...decodeCall, pages: { size: 1 } },
    "pages-of-64-decode": { ...decodeCall, pages: { size: 64 } },
    "pages-of-5-long": { ...storedCall, queryLength: 70, keyLength: 150, pages: { size: 5 } },
    "pages-of-100-long": {
      ...storedCall,
      queryLength: 9,
      keyLength: 300,
      kvLengths: [299, 101],
      pages: { size: 100 },
    },
    "pages-of-16-d59-dv24": { ...decodeCall, headDim: 59, valueDim: 24, pages: { size: 16 } },
    "pages-blhd": { ...decodeCall, layout: "blhd", pages: { size: 16 } },
    "pages-bhdl": { ...decodeCall, layout: "bhdl", pages: { size: 16 } },
    "pages-odd-heads": { ...decodeCall, layout: "odd-heads", pages: { size: 8 } },
    "pages-poison": { ...decodeCall, poison: "NaN", pages: { size: 16 } },
    "pages-poison-infinity": { ...decodeCall, poison: "infinity", pages: { size: 8 } },
    "pages-poison-large": { ...decodeCall, poison: "large", pages: { size: 8 } },
    "pages-unused-entries": { ...decodeCall, pages: { size: 8, unused: 2 ** 31 - 1 } },
    "pages-unused-entries-0": { ...decodeCall, poison: "NaN", pages: { size: 8, unused: 0 } },
    "pages-shared-prefix": {
      ...decodeCall,
      kvLengths: [64, 40, 33],
      pages: { size: 16, shared: 2 },
    },
    "pages-empty-sequences": {
      ...decodeCall,
      kvLengths: [0, 64, 0],
      poison: "NaN",
      pages: { size: 16 },
    },
    "pages-all-empty": { ...decodeCall, kvLengths: [0, 0, 0], poison: "NaN", pages: { size: 16 } },
    "pages-one": { ...storedCall, batch: 1, keyLength: 4, kvLengths: [3], pages: { size: 4 } },
    "pages-window": {
      ...decodeCall,
      queryLength: 3,
      window: { left: 9 },
      poison: "NaN",
      pages: { size: 8 },
    },
    "pages-int8": { ...decodeCall, kvDtype: "int8", poison: "NaN", pages: { size: 16 } },
    "pages-float16": { ...decodeCall, kvDtype: "float16", poison: "NaN", pages: { size: 16 } },
    "pages-weights": {
      ...storedCall,
      pages: { size: 3 },
      kvLengths: [10, 2],
      returns: { logSumExp: true, weights: true, scores: "raw" },
    },
    "pages-sinks": { ...decodeCall, sinks: true, pages: { size: 16 } },
    "pages-mask-bias": {
      ...storedCall,
      kvLengths: [11, 7],
      mask: { shape: [2, 1, 5, 12] },
      bias: { shape: [4, 1, 12] },
      pages: { size: 6 },
    },
  }),
};
