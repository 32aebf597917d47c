import { toFloat64 } from "@heed/core";
import { type Call, type Place, steps } from "../attention.js";
import type { NumberMutant } from "./mutant.js";

/** Where an element would be if nothing were broadcast. */
function asIfFull({ b, h, i }: Place, j: number, { problem: p, bound }: Call): number {
  const { bias } = bound;
  if (bias === null) return 0;
  const flat = ((b * p.queryHeads + h) * p.queryLength + i) * p.keyLength + j;
  return bias.data.length > flat
    ? (toFloat64({ ...bias, shape: [1], strides: [1], offset: flat })[0] as number)
    : 0;
}

/** Steps 1 to 3: the scaled product, softcap, bias and ALiBi. */
export const logitMutants: readonly NumberMutant[] = [
  // 1. Scaled dot product.
  {
    name: "an explicit scale is ignored",
    profile: "core",
    steps: { scaled: (dot, { problem }) => dot / Math.sqrt(problem.headDim) },
  },
  {
    name: "the scale follows the value's head size",
    profile: "core",
    steps: {
      scaled: (dot, { problem }) =>
        dot * problem.scale * Math.sqrt(problem.headDim / problem.valueDim),
    },
  },
  {
    name: "grouped heads are interleaved instead of blocked",
    profile: "core",
    steps: { keyHead: (h, { problem }) => h % problem.kvHeads },
  },
  {
    name: "the last element of a head is skipped where its size is odd",
    profile: "core",
    steps: {
      dot: (query, q, key, k, size) => steps.dot(query, q, key, k, size - (size % 2)),
    },
  },
  // 2. Softcap.
  {
    name: "softcap is ignored",
    profile: "core",
    published: "sglang#33915",
    steps: { capped: (s) => s },
  },
  {
    name: "softcap comes after the bias",
    profile: "masks",
    steps: {
      capped: (s) => s,
      biased: (s, place, j, call) => steps.capped(steps.biased(s, place, j, call), call),
    },
  },
  {
    name: "softcap comes before the scale",
    profile: "core",
    steps: {
      scaled: (dot) => dot,
      capped: (s, call) => call.problem.scale * steps.capped(s, call),
    },
  },
  // 3. Bias and ALiBi.
  {
    name: "the bias is scaled",
    profile: "masks",
    steps: { bias: (place, j, call) => call.problem.scale * steps.bias(place, j, call) },
  },
  {
    name: "a broadcast bias is read as if it were full",
    profile: "masks",
    published: "onnxruntime#26766",
    steps: { bias: asIfFull },
  },
  {
    name: "a bias of one head and several batches is read as that of batch 0",
    profile: "masks",
    published: "onnxruntime#24017",
    steps: {
      bias: (place, j, call) =>
        steps.bias(call.problem.bias?.shape[1] === 1 ? { ...place, b: 0 } : place, j, call),
    },
  },
  {
    name: "ALiBi is signed",
    profile: "masks",
    steps: {
      alibi: ({ h, p }, j, { bound }) =>
        bound.alibiSlopes ? (bound.alibiSlopes[h] as number) * (p - j) : 0,
    },
  },
  {
    name: "ALiBi knows nothing of the query offset",
    profile: "masks",
    steps: { alibi: (place, j, call) => steps.alibi({ ...place, p: place.i }, j, call) },
  },
  {
    name: "ALiBi takes the slopes of the key heads",
    profile: "masks",
    steps: {
      alibi: (place, j, call) =>
        steps.alibi({ ...place, h: steps.keyHead(place.h, call) }, j, call),
    },
  },
];
