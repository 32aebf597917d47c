import type { HostTensor } from "@heed/core";
import type { Bounds, KeyRange } from "./bounds.js";
import type { HiddenGuard } from "./graph/spec.js";

/**
 * What keys and values hold where the positions hide them: ordinary numbers, nearly always. NaN or ±∞
 * there would reach the results through a weight of 0 (0 · NaN is NaN), and a key near the largest
 * number through a product that overflows (∞ − ∞ is NaN). Only keys that are hidden from some row are
 * looked at, once a call, which is little beside what the rows that see them cost.
 *
 * @param key `[batch, kvHeads, keyLength, headDim]`
 * @param value `[batch, kvHeads, keyLength, valueDim]`
 */
export function guardFor(key: HostTensor, value: HostTensor, bounds: Bounds): HiddenGuard {
  if (bounds.band === null) return "none";
  const [batch, , keyLength] = value.shape as [number, number, number, number];
  let guard: HiddenGuard = "none";
  for (let b = 0; b < batch; b++) {
    const at = bounds.batches === 1 ? 0 : b;
    const some = bounds.seenBySome[at] as KeyRange;
    const all = bounds.seenByAll[at] as KeyRange;
    const never = [
      { from: 0, to: some.from },
      { from: some.to, to: keyLength },
    ];
    const middle = Math.max(some.from, Math.min(some.to, all.from));
    const partly = [
      { from: some.from, to: middle },
      { from: Math.max(middle, Math.min(some.to, all.to)), to: some.to },
    ];
    if (!partly.every((range) => ordinary(value, b, range, finite))) return "elements";
    if (guard === "none") {
      const clean =
        never.every((range) => ordinary(value, b, range, finite)) &&
        [...never, ...partly].every((range) => ordinary(key, b, range, modest));
      if (!clean) guard = "rows";
    }
  }
  return guard;
}

/** The limits of what counts as ordinary; numbers are compared as bits without their sign, in order. */
interface Limits {
  readonly float64: number;
  readonly float32Bits: number;
  readonly float16Bits: number;
}

/** Values: a weight of 0 stops any number. */
const finite: Limits = {
  float64: Number.MAX_VALUE,
  float32Bits: 0x7f7fffff,
  float16Bits: 0x7bff,
};

/** Keys: of 2³², from which it takes a query of 10²⁸ to overflow a product in float32. */
const modest: Limits = { float64: 2 ** 32, float32Bits: 0x4f800000, float16Bits: 0x7bff };

/** Whether all elements of a range of keys of a batch are ordinary numbers. */
function ordinary(t: HostTensor, batch: number, { from, to }: KeyRange, limits: Limits): boolean {
  const [, heads, , size] = t.shape as [number, number, number, number];
  const [batchStride, headStride, keyStride, stride] = t.strides as [
    number,
    number,
    number,
    number,
  ];
  const packed = stride === 1 && keyStride === size;
  for (let h = 0; h < heads; h++) {
    const start = t.offset + batch * batchStride + h * headStride + from * keyStride;
    if (packed) {
      if (!ordinaryRun(t, start, (to - from) * size, 1, limits)) return false;
    } else {
      for (let j = 0; j < to - from; j++) {
        if (!ordinaryRun(t, start + j * keyStride, size, stride, limits)) return false;
      }
    }
  }
  return true;
}

function ordinaryRun(
  { data, dtype }: HostTensor,
  start: number,
  count: number,
  stride: number,
  limits: Limits,
): boolean {
  if (dtype === "float64") {
    return ordinaryNumbers(data as Float64Array, start, count, stride, limits.float64);
  }
  const { buffer, byteOffset, length } = data;
  if (dtype === "float32") {
    const bits = new Int32Array(buffer, byteOffset, length);
    return ordinaryBits(bits, start, count, stride, 0x7fffffff, limits.float32Bits);
  }
  const bits = new Uint16Array(buffer, byteOffset, length);
  return ordinaryBits(bits, start, count, stride, 0x7fff, limits.float16Bits);
}

function ordinaryNumbers(
  numbers: Float64Array,
  start: number,
  count: number,
  stride: number,
  limit: number,
): boolean {
  for (let i = 0, at = start; i < count; i++, at += stride) {
    if (!(Math.abs(numbers[at] as number) <= limit)) return false;
  }
  return true;
}

/** The difference of each from the limit is negative if it is above, which the sign of all tells. */
function ordinaryBits(
  bits: Int32Array | Uint16Array,
  start: number,
  count: number,
  stride: number,
  magnitude: number,
  limit: number,
): boolean {
  let all = 0;
  for (let i = 0, at = start; i < count; i++, at += stride) {
    all |= (limit - ((bits[at] as number) & magnitude)) | 0;
  }
  return all >= 0;
}
