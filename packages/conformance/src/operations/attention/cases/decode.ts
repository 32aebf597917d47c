import { type ConformanceCase, ofProfile } from "../../../run/case.js";
import { cacheCall } from "./bases.js";

const cache = cacheCall;

/** Few queries against a cache of keys and values. */
export const decodeCases: readonly ConformanceCase[] = ofProfile("decode", [
  ...[1, 2, 3, 4, 5, 8].map((queryLength) => ({
    id: `decode/gqa-q${queryLength}`,
    spec: { ...cache, queryLength },
  })),
  ...[1, 3].map((queryLength) => ({
    id: `decode/mha-q${queryLength}`,
    spec: { ...cache, queryHeads: 3, kvHeads: 3, queryLength },
  })),
  ...[1, 3].map((queryLength) => ({
    id: `decode/mqa-q${queryLength}`,
    spec: { ...cache, queryHeads: 5, kvHeads: 1, queryLength },
  })),
  { id: "decode/d128", spec: { ...cache, headDim: 128 } },
  { id: "decode/d15-dv59", spec: { ...cache, headDim: 15, valueDim: 59 } },
  { id: "decode/window", spec: { ...cache, queryLength: 3, window: { left: 7 } } },
  { id: "decode/sinks", spec: { ...cache, sinks: true } },
  { id: "decode/sinks-window", spec: { ...cache, sinks: true, window: { left: 5 } } },
  { id: "decode/alibi", spec: { ...cache, alibi: true } },
  { id: "decode/mask", spec: { ...cache, mask: { shape: [2, 1, 1, 61] } } },
  { id: "decode/bias", spec: { ...cache, bias: { shape: [8, 1, 61] } } },
  { id: "decode/weights", spec: { ...cache, returns: { weights: true, scores: "raw" } } },
  { id: "decode/blhd", spec: { ...cache, layout: "blhd" as const } },
  { id: "decode/bhdl", spec: { ...cache, layout: "bhdl" as const } },
  { id: "decode/offset-per-batch", spec: { ...cache, queryLength: 2, queryOffset: [10, -1] } },
]);

/** The same in the dtypes that some backends refuse: not what a claim of `decode` is about. */
export const decodeDTypeCases: readonly ConformanceCase[] = ofProfile("numerics", [
  { id: "numerics/decode-float16", spec: { ...cache, dtype: "float16" } },
  { id: "numerics/decode-float64", spec: { ...cache, dtype: "float64" } },
]);
