import { contiguous, isContiguous, roundTo, toFloat64 } from "@heed/core";
import { type Mistake, stepMistake } from "./mistake.js";
import { steps } from "./steps.js";

/** Rounded to 10 bits after the first, with float32's range. */
function tf32(x: number | undefined): number {
  const bits = new Uint32Array(Float32Array.of(x ?? 0).buffer);
  bits[0] = ((bits[0] as number) + 0x1000) & ~0x1fff;
  return new Float32Array(bits.buffer)[0] as number;
}

/** Numbers that are rounded too far, and memory that is read at the wrong place. */
export const storageMistakes: readonly Mistake[] = [
  stepMistake("queries and keys are multiplied with the 10 bits of tensor cores", "core", {
    dot: (query, q, key, k, size) => {
      let sum = 0;
      for (let c = 0; c < size; c++) sum += tf32(query[q + c]) * tf32(key[k + c]);
      return sum;
    },
  }),
  stepMistake("the exponential has 17 good bits", "core", {
    weight: (logit, max, sum) =>
      (Math.exp(logit - max) / sum) * (1 + 2 ** -18 * Math.sin(1e4 * logit)),
  }),
  stepMistake("the exponential of float64 has 45 good bits", "numerics", {
    weight: (logit, max, sum) =>
      (Math.exp(logit - max) / sum) * (1 + 2 ** -46 * Math.sin(1e4 * logit)),
  }),
  stepMistake("logits are float16", "core", {
    biased: (s, place, j, call) => roundTo("float16", steps.biased(s, place, j, call)),
  }),
  stepMistake("a hidden NaN is multiplied by a weight of 0", "numerics", { readsHidden: true }),
  stepMistake("accumulators are float16", "numerics", {
    add: (sum, weight, value) => roundTo("float16", sum + weight * value),
  }),
  stepMistake("float64 is computed in float32", "numerics", { store: Math.fround }),
  stepMistake("subnormal numbers are flushed to 0, on a CPU", "numerics", {
    store: (x) => (Math.abs(x) < 2 ** -126 ? 0 : x),
  }),
  stepMistake("values are summed in float32 from the first key to the last", "numerics", {
    add: (sum, weight, value) => Math.fround(sum + weight * value),
  }),
  stepMistake("heads lie a whole number of vectors of 4 apart", "numerics", {
    read: (t) => {
      const [batch, head = 0, ...rest] = t.strides;
      return toFloat64({ ...t, strides: [batch as number, head - (head % 4), ...rest] });
    },
  }),
  stepMistake("strides are ignored", "core", {
    read: (t) => (isContiguous(t) ? toFloat64(t) : toFloat64({ ...contiguous(t), data: t.data })),
  }),
  stepMistake("an offset into the data is ignored", "core", {
    read: (t) => toFloat64({ ...t, offset: 0 }),
  }),
];
