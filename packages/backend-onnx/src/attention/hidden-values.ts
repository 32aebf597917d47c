import type { AttentionProblem, HostTensor, KeyRange } from "@heed/core";
import type { Bounds } from "./bounds.js";
import type { HiddenGuard } from "./graph/spec.js";
import type { SeenKeys } from "./seen-keys.js";

/** The part of a problem that may hide keys one by one. */
type HidingProblem = Pick<AttentionProblem, "mask" | "bias" | "maskMod" | "scoreMod" | "blockMask">;

/**
 * Which guard the values of a call need, from whether any that is hidden from some row, or by positions
 * from every row, is NaN or ±∞. Which keys a mask, a bias or a program hides is not looked at: beside them, any
 * such value needs the guard `"elements"`.
 *
 * @param value `[batch, kvHeads, keyLength, valueDim]`
 */
export function guardFor(
  value: HostTensor,
  bounds: Pick<Bounds, "band" | "batches" | "seen">,
  { mask, bias, maskMod, scoreMod, blockMask }: HidingProblem,
): HiddenGuard {
  const [batch, , keyLength] = value.shape as [number, number, number, number];
  if (mask || bias || maskMod || scoreMod || blockMask) {
    for (let b = 0; b < batch; b++) {
      if (!allFinite(value, b, { start: 0, end: keyLength })) return "elements";
    }
    return "none";
  }
  if (bounds.band === null) return "none";
  let guard: HiddenGuard = "none";
  for (let b = 0; b < batch; b++) {
    const at = bounds.batches === 1 ? 0 : b;
    const { never, partly } = bounds.seen[at] as SeenKeys;
    if (!partly.every((range) => allFinite(value, b, range))) return "elements";
    if (!never.every((range) => allFinite(value, b, range))) guard = "rows";
  }
  return guard;
}

/** Whether a range of keys of a batch has neither NaN nor ±∞. */
function allFinite(t: HostTensor, batch: number, { start: from, end: to }: KeyRange): boolean {
  const [, heads, , size] = t.shape as [number, number, number, number];
  const [batchStride, headStride, keyStride, stride] = t.strides as [
    number,
    number,
    number,
    number,
  ];
  const packed = stride === 1 && keyStride === size;
  const finite = finiteRuns(t);
  for (let h = 0; h < heads; h++) {
    const start = t.offset + batch * batchStride + h * headStride + from * keyStride;
    if (packed) {
      if (!finite(start, (to - from) * size, 1)) return false;
    } else {
      for (let j = 0; j < to - from; j++) {
        if (!finite(start + j * keyStride, size, stride)) return false;
      }
    }
  }
  return true;
}

/** Whether `count` elements from `start` on, `stride` apart, have neither NaN nor ±∞. */
export type FiniteRuns = (start: number, count: number, stride: number) => boolean;

/** Looks at elements of an array by its dtype. */
export function finiteRuns({ data, dtype }: Pick<HostTensor, "data" | "dtype">): FiniteRuns {
  if (dtype !== "float16") {
    const numbers = data as Float64Array | Float32Array;
    return (start, count, stride) => finiteNumbers(numbers, start, count, stride);
  }
  const bits = new Uint16Array(data.buffer, data.byteOffset, data.length);
  return (start, count, stride) => finiteBits(bits, start, count, stride);
}

/** Whether the element at an index is 0 or −0, by the array's dtype. */
export function holdsZero({
  data,
  dtype,
}: Pick<HostTensor, "data" | "dtype">): (at: number) => boolean {
  if (dtype !== "float16") return (at) => data[at] === 0;
  const bits = new Uint16Array(data.buffer, data.byteOffset, data.length);
  return (at) => ((bits[at] as number) & 0x7fff) === 0;
}

/** 0 times a number is 0, or −0; times ∞ or NaN it is NaN, which a sum keeps. */
function finiteNumbers(
  numbers: Float64Array | Float32Array,
  start: number,
  count: number,
  stride: number,
): boolean {
  // Four sums at once: one alone waits for each addition before the next.
  let [sum0, sum1, sum2, sum3] = [0, 0, 0, 0];
  let at = start;
  let left = count;
  for (; left >= 4; left -= 4) {
    sum0 += (numbers[at] as number) * 0;
    sum1 += (numbers[at + stride] as number) * 0;
    sum2 += (numbers[at + 2 * stride] as number) * 0;
    sum3 += (numbers[at + 3 * stride] as number) * 0;
    at += 4 * stride;
  }
  for (; left > 0; left--) {
    sum0 += (numbers[at] as number) * 0;
    at += stride;
  }
  return sum0 + sum1 + sum2 + sum3 === 0;
}

/**
 * Bits without the sign are ordered as the numbers are; the largest finite number less each is negative
 * for ∞ and NaN, which the sign of all of them together tells.
 */
function finiteBits(bits: Uint16Array, start: number, count: number, stride: number): boolean {
  let all = 0;
  for (let i = 0, at = start; i < count; i++, at += stride) {
    all |= 0x7bff - ((bits[at] as number) & 0x7fff);
  }
  return all >= 0;
}
