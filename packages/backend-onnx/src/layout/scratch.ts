import { allocate, type DType, type TypedArray } from "@heed/core";

/** Arrays for the inputs of a run, which are used again by later runs. */
export class Scratch {
  readonly #kept: number;
  readonly #free: TypedArray[] = [];

  /** @param kept arrays that wait for later runs, at most */
  constructor(kept: number) {
    this.#kept = kept;
  }

  /** An array of so many elements, which hold anything. */
  take(dtype: DType, length: number): TypedArray {
    const fits = (array: TypedArray): boolean =>
      array.length >= length && array.constructor === allocate(dtype, 0).constructor;
    const at = this.#free.findIndex(fits);
    const [known] = at < 0 ? [] : this.#free.splice(at, 1);
    return (known ?? allocate(dtype, length)).subarray(0, length) as TypedArray;
  }

  /** Takes back an array that nobody reads any more. */
  give(array: TypedArray): void {
    const Elements = array.constructor as new (buffer: ArrayBufferLike) => TypedArray;
    const whole = new Elements(array.buffer);
    this.#free.push(whole);
    if (this.#free.length > this.#kept) this.#free.shift();
  }
}
