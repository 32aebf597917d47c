import { contiguous, isContiguous, roundTo, toFloat64 } from "@heed/core";
import { steps } from "../attention.js";
import type { NumberMutant } from "./mutant.js";

/** Rounded to 10 bits after the first, with float32's range. */
function tf32(x: number | undefined): number {
  const bits = new Uint32Array(Float32Array.of(x ?? 0).buffer);
  bits[0] = ((bits[0] as number) + 0x1000) & ~0x1fff;
  return new Float32Array(bits.buffer)[0] as number;
}

/** Numbers that are rounded too far, and memory that is read at the wrong place. */
export const storageMutants: readonly NumberMutant[] = [
  {
    name: "queries and keys are multiplied with the 10 bits of tensor cores",
    profile: "core",
    steps: {
      dot: (query, q, key, k, size) => {
        let sum = 0;
        for (let c = 0; c < size; c++) sum += tf32(query[q + c]) * tf32(key[k + c]);
        return sum;
      },
    },
  },
  {
    name: "the exponential has 17 good bits",
    profile: "core",
    steps: {
      weight: (logit, max, sum) =>
        (Math.exp(logit - max) / sum) * (1 + 2 ** -18 * Math.sin(1e4 * logit)),
    },
  },
  {
    name: "the exponential of float64 has 45 good bits",
    profile: "numerics",
    steps: {
      weight: (logit, max, sum) =>
        (Math.exp(logit - max) / sum) * (1 + 2 ** -46 * Math.sin(1e4 * logit)),
    },
  },
  {
    name: "logits are float16",
    profile: "core",
    steps: { biased: (s, place, j, call) => roundTo("float16", steps.biased(s, place, j, call)) },
  },
  {
    name: "a hidden NaN is multiplied by a weight of 0",
    profile: "numerics",
    steps: { readsHidden: true },
  },
  {
    name: "accumulators are float16",
    profile: "numerics",
    steps: { add: (sum, weight, value) => roundTo("float16", sum + weight * value) },
  },
  {
    name: "float64 is computed in float32",
    profile: "numerics",
    steps: { store: Math.fround },
  },
  {
    name: "subnormal numbers are flushed to 0, on a CPU",
    profile: "numerics",
    steps: { store: (x) => (Math.abs(x) < 2 ** -126 ? 0 : x) },
  },
  {
    name: "strides are ignored",
    profile: "core",
    steps: {
      read: (t) => (isContiguous(t) ? toFloat64(t) : toFloat64({ ...contiguous(t), data: t.data })),
    },
  },
  {
    name: "an offset into the data is ignored",
    profile: "core",
    steps: { read: (t) => toFloat64({ ...t, offset: 0 }) },
  },
];
