import type { HostTensor } from "@heed/core";
import type { Bounds, KeyRange } from "./bounds.js";
import type { ValueGuard } from "./graph/spec.js";

/**
 * Whether values that a row must not see are NaN or ±∞, which a weight of 0 would not stop: 0 · NaN
 * is NaN. Only keys that are hidden from some row are looked at.
 *
 * @param value `[batch, kvHeads, keyLength, valueDim]`
 */
export function guardFor(value: HostTensor, bounds: Bounds): ValueGuard {
  if (bounds.band === null) return "none";
  const [batch, , keyLength] = value.shape as [number, number, number, number];
  let guard: ValueGuard = "none";
  for (let b = 0; b < batch; b++) {
    const at = bounds.batches === 1 ? 0 : b;
    const some = bounds.seenBySome[at] as KeyRange;
    const all = bounds.seenByAll[at] as KeyRange;
    if (!allFinite(value, b, { from: 0, to: some.from })) guard = "rows";
    if (!allFinite(value, b, { from: some.to, to: keyLength })) guard = "rows";
    const partly = [
      { from: some.from, to: Math.min(some.to, all.from) },
      { from: Math.max(some.from, Math.min(some.to, all.from), all.to), to: some.to },
    ];
    if (!partly.every((range) => allFinite(value, b, range))) return "elements";
  }
  return guard;
}

/** The exponent bits of float16: all set in NaN and ±∞. */
const float16Exponent = 0x7c00;

function allFinite(value: HostTensor, batch: number, { from, to }: KeyRange): boolean {
  const [, heads, , size] = value.shape as [number, number, number, number];
  const [batchStride, headStride, keyStride, stride] = value.strides as [
    number,
    number,
    number,
    number,
  ];
  const bits = value.data instanceof Uint16Array;
  for (let h = 0; h < heads; h++) {
    for (let j = from; j < to; j++) {
      let at = value.offset + batch * batchStride + h * headStride + j * keyStride;
      // A sum of x − x is 0 unless some x is not finite: one test a row, not one an element.
      let sum = 0;
      for (let c = 0; c < size; c++, at += stride) {
        const x = value.data[at] as number;
        if (bits) sum += (x & float16Exponent) === float16Exponent ? Number.NaN : 0;
        else sum += x - x;
      }
      if (sum !== 0) return false;
    }
  }
  return true;
}
