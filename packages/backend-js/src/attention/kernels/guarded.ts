import type { Packed } from "../../tensor/pack.js";

/**
 * Values with NaN or ±∞ in them. 0 · NaN is NaN, so where a tile has hidden keys, such values must
 * not be multiplied by the weight of the rows that they are hidden from. Those weights are −0; a
 * visible key's weight that underflowed is +0, and 0 · NaN is then the answer, as it is in a tile
 * without hidden keys.
 */

/**
 * Whether all of a tile's values are finite.
 *
 * @param value value j starts at `base + j·stride` and is `size` long
 */
export function allFinite(
  value: Packed,
  base: number,
  stride: number,
  keys: number,
  size: number,
): boolean {
  // x · 0 is NaN for NaN and ±∞ and 0 otherwise: no branch in the loop.
  let sum = 0;
  for (let j = 0, v = base; j < keys; j++, v += stride) {
    for (let c = 0; c < size; c++) sum += (value[v + c] as number) * 0;
  }
  return sum === 0;
}

/** `output[to + c] += Σ_j weights[at + j·step] · value[j, c]` over the keys whose weight is not −0. */
export function guardedValues(
  weights: number[],
  at: number,
  step: number,
  value: Packed,
  base: number,
  stride: number,
  keys: number,
  size: number,
  output: number[],
  to: number,
): void {
  for (let j = 0, v = base; j < keys; j++, v += stride) {
    const weight = weights[at + j * step] as number;
    if (Object.is(weight, -0)) continue;
    for (let c = 0; c < size; c++) (output[to + c] as number) += weight * (value[v + c] as number);
  }
}
