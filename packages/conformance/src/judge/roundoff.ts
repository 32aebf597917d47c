import type { FloatDType } from "@heed/core";

/** Unit roundoff of a dtype. */
export const unitRoundoff: Readonly<Record<FloatDType, number>> = {
  float64: 2 ** -53,
  float32: 2 ** -24,
  float16: 2 ** -11,
};

/** The largest number of a dtype. */
export const largestNumber: Readonly<Record<FloatDType, number>> = {
  float64: Number.MAX_VALUE,
  float32: 3.4028234663852886e38,
  float16: 65504,
};

/** The number itself, or 0 where it is not finite: such a number widens no allowance. */
export function finiteOr0(x: number): number {
  return Number.isFinite(x) ? x : 0;
}
