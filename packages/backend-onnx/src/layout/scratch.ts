import { allocate, type DType, type TypedArray } from "@heed/core";

const constructors = new Map<DType, unknown>();

/** The kind of array that holds elements of a dtype. */
function constructorOf(dtype: DType): unknown {
  let known = constructors.get(dtype);
  if (known === undefined) {
    known = allocate(dtype, 0).constructor;
    constructors.set(dtype, known);
  }
  return known;
}

/** Arrays for the inputs of a run, which are used again by later runs. */
export class Scratch {
  readonly #kept: number;
  readonly #free: TypedArray[] = [];

  /** @param kept arrays that wait for later runs, at most */
  constructor(kept: number) {
    this.#kept = kept;
  }

  /** An array of so many elements, which hold anything: the shortest that is long enough. */
  take(dtype: DType, length: number): TypedArray {
    const elements = constructorOf(dtype);
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let n = 0; n < this.#free.length; n++) {
      const array = this.#free[n] as TypedArray;
      if (array.length < length || array.length >= least) continue;
      if (array.constructor !== elements) continue;
      best = n;
      least = array.length;
    }
    const [known] = best < 0 ? [] : this.#free.splice(best, 1);
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
