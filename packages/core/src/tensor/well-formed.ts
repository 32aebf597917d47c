import type { DType } from "./dtype.js";

/**
 * Base of tensor classes whose shape and dtype are checked when a tensor is made: as long as they are those of
 * then, they need not be checked again.
 */
export class WellFormed {
  readonly #shape: readonly number[];
  readonly #dtype: DType;

  /** @param shape frozen */
  constructor(dtype: DType, shape: readonly number[]) {
    this.#dtype = dtype;
    this.#shape = shape;
  }

  static is(value: object): boolean {
    if (!(#shape in value)) return false;
    const { shape, dtype } = value as { readonly shape?: unknown; readonly dtype?: unknown };
    return shape === value.#shape && dtype === value.#dtype;
  }
}
