import type { BackendInfo, FloatDType } from "@heed/core";

/** The guarantees of IEEE 754 that a device's arithmetic keeps, as far as cases and budgets need them. */
export interface Arithmetic {
  /** Whether NaN and ±∞ may stand in data that nothing reads into a result. */
  readonly nonFinite: boolean;
  /**
   * A number below which a value may be flushed to 0: the spacing of the subnormal numbers, or the
   * smallest normal one where subnormals may be flushed.
   */
  readonly tiny: Readonly<Record<FloatDType, number>>;
}

/** A CPU's. */
export const ieee754: Arithmetic = {
  nonFinite: true,
  tiny: { float64: 2 ** -1074, float32: 2 ** -149, float16: 2 ** -24 },
};

/** A GPU's: WGSL may assume that no NaN or infinity exists, and may flush subnormal numbers. */
export const relaxed: Arithmetic = {
  nonFinite: false,
  tiny: { float64: 2 ** -1022, float32: 2 ** -126, float16: 2 ** -14 },
};

/** By the device that a backend says it runs on: `"CPU"`, by exactly this name, or anything else. */
export function arithmeticOf({ device }: BackendInfo): Arithmetic {
  return device === "CPU" ? ieee754 : relaxed;
}
