import type { HostTensor } from "@heed/core";
import { decodeCall, servingCases, storedCall } from "./bases.js";
import type { ServingFeature } from "./serving-feature.js";

const long = { ...storedCall, queryLength: 70, keyLength: 150 } as const;
/** One row a key head, and three, whose keys end at any place of a group of four. */
const oneRow = {
  ...decodeCall,
  queryHeads: 2,
  keyLength: 150,
  kvLengths: [150, 67, 13],
} as const;
const threeRows = { ...oneRow, queryHeads: 6, kvLengths: [149, 64, 7] } as const;

/** Keys and values that are stored in fewer bits than the query has. */
export const storage: ServingFeature = {
  factors: {
    kvDtype: {
      "kv-same": {},
      "kv-float16": { kvDtype: "float16" },
      "kv-int8": { kvDtype: "int8" },
    },
  },
  variations: {
    "keys and values in float16": { kvDtype: "float16" },
    "keys and values in int8": { kvDtype: "int8" },
  },
  valid: { ...storedCall, kvDtype: "int8" },
  tensors: ["keyScales", "valueScales"],
  wrong: {
    "keyScales are missing": () => ({ keyScales: undefined }),
    "valueScales are missing": () => ({ valueScales: undefined }),
    "keyScales of float64": (_, random) => ({ keyScales: random.tensor([2, 2, 12], "float64") }),
    "keyScales of four axes": (_, random) => ({
      keyScales: random.tensor([2, 2, 12, 1], "float32"),
    }),
    "one scale too few": (_, random) => ({ valueScales: random.tensor([2, 2, 11], "float32") }),
    "scales of query heads": (_, random) => ({ keyScales: random.tensor([2, 4, 12], "float32") }),
    "scales beside float32": ({ query }, random) => ({
      key: random.tensor([2, 2, 12, 8], query.dtype),
      value: random.tensor([2, 2, 12, 8], query.dtype),
    }),
    "keys and values of two dtypes": (_, random) => ({
      value: random.tensor([2, 2, 12, 8], "float32"),
    }),
    "int8 under float64": (_, random) => ({ query: random.tensor([2, 4, 5, 8], "float64") }),
    "uint8 keys": ({ key }) => ({
      key: { ...key, dtype: "uint8", data: new Uint8Array((key as HostTensor).data.length) },
    }),
  },
  cases: servingCases({
    "float16-kv": { ...storedCall, kvDtype: "float16" },
    "float16-kv-long": { ...long, kvDtype: "float16" },
    "float16-kv-decode": { ...decodeCall, kvDtype: "float16" },
    "float16-kv-one-row": { ...oneRow, kvDtype: "float16" },
    "float16-kv-three-rows": { ...threeRows, kvDtype: "float16" },
    ...Object.fromEntries(
      (["one-row", "three-rows"] as const).flatMap((name) => {
        const call = { ...(name === "one-row" ? oneRow : threeRows), kvDtype: "float16" } as const;
        return [
          [
            `float16-kv-seen-NaN-in-key-${name}`,
            { ...call, notFinite: { in: "key", value: "NaN" } },
          ],
          [
            `float16-kv-seen-Infinity-in-value-${name}`,
            { ...call, notFinite: { in: "value", value: "Infinity" } },
          ],
        ];
      }),
    ),
    "float16-kv-d59-dv24": { ...long, headDim: 59, valueDim: 24, kvDtype: "float16" },
    "float16-kv-blhd": { ...storedCall, layout: "blhd", kvDtype: "float16" },
    "float16-kv-bhdl": { ...decodeCall, layout: "bhdl", kvDtype: "float16" },
    "float16-kv-odd-start": { ...decodeCall, layout: "odd-start", kvDtype: "float16" },
    "float16-kv-shared": { ...long, sharedKeyValue: true, kvDtype: "float16" },
    "float16-kv-poison": { ...decodeCall, poison: "NaN", kvDtype: "float16" },
    "float16-kv-poison-infinity": {
      ...long,
      batch: 1,
      causal: true,
      queryOffset: 9,
      poison: "infinity",
      kvDtype: "float16",
    },
    "float16-kv-subnormal": { ...storedCall, values: "subnormal-values", kvDtype: "float16" },
    "float16-kv-weights": {
      ...storedCall,
      kvDtype: "float16",
      returns: { logSumExp: true, weights: true, scores: "biased" },
    },
    "int8-kv": { ...storedCall, kvDtype: "int8" },
    "int8-kv-long": { ...long, kvDtype: "int8" },
    "int8-kv-decode": { ...decodeCall, kvDtype: "int8" },
    "int8-kv-decode-d64": { ...decodeCall, headDim: 64, kvDtype: "int8" },
    "int8-kv-one-row": { ...oneRow, kvDtype: "int8" },
    "int8-kv-three-rows": { ...threeRows, kvDtype: "int8" },
    "int8-kv-d5-dv3": { ...storedCall, headDim: 5, valueDim: 3, kvDtype: "int8" },
    "int8-kv-d5-dv3-decode": { ...decodeCall, headDim: 5, valueDim: 3, kvDtype: "int8" },
    "int8-kv-float16": { ...decodeCall, dtype: "float16", kvDtype: "int8" },
    "int8-kv-d15-dv59": { ...long, headDim: 15, valueDim: 59, kvDtype: "int8" },
    "int8-kv-blhd": { ...decodeCall, layout: "blhd", kvDtype: "int8" },
    "int8-kv-bhdl": { ...long, layout: "bhdl", kvDtype: "int8" },
    "int8-kv-odd-start": { ...decodeCall, layout: "odd-start", kvDtype: "int8" },
    "int8-kv-odd-heads": { ...decodeCall, layout: "odd-heads", kvDtype: "int8" },
    "int8-kv-shared": { ...long, sharedKeyValue: true, kvDtype: "int8" },
    "int8-kv-poison": { ...decodeCall, poison: "NaN", kvDtype: "int8" },
    "int8-kv-poison-infinity": { ...decodeCall, poison: "infinity", kvDtype: "int8" },
    "int8-kv-poison-window": {
      ...long,
      batch: 1,
      causal: true,
      window: { left: 20 },
      queryOffset: 50,
      poison: "NaN",
      kvDtype: "int8",
    },
    "int8-kv-empty-cache": { ...decodeCall, kvLengths: [0, 64, 0], poison: "NaN", kvDtype: "int8" },
    "int8-kv-weights": {
      ...storedCall,
      kvDtype: "int8",
      returns: { logSumExp: true, weights: true, scores: "raw" },
    },
  }),
};
