import { checkTensor, describeValue, InvalidInputError, type Tensor } from "@heed/core";
import { checkNames } from "@heed/core/options";
import type { AppendInputs } from "./inputs.js";
import { checkPlace, type Place } from "./memory/place.js";
import type { CacheDType, CacheSizes } from "./options.js";

/** An append whose inputs are checked, as far as that is possible before earlier ones are done. */
export interface AppendCall {
  readonly key: Tensor;
  readonly value: Tensor;
  readonly n: number;
  /** Real tokens among the n rows, one a batch entry; not to be written. */
  readonly counts: Int32Array;
}

const appendNames: ReadonlySet<string> = new Set<keyof AppendInputs>(["key", "value", "lengths"]);

/** The dtypes of keys and values that a cache takes. */
const sourceDTypes: Readonly<Record<CacheDType, readonly string[]>> = {
  float32: ["float32"],
  float16: ["float32", "float16"],
  int8: ["float32", "float16"],
};

/** @throws InvalidInputError naming `key`, `value` or `lengths` */
export function readAppend(inputs: AppendInputs, sizes: CacheSizes, place: Place): AppendCall {
  checkNames("inputs", inputs, appendNames);
  const { key, value, lengths } = inputs;
  const { batch, headDim, valueDim, dtype } = sizes;
  checkSide("key", key, sizes, headDim, null, place);
  if (!sourceDTypes[dtype].includes(key.dtype)) {
    throw new InvalidInputError("key", `dtype ${sourceDTypes[dtype].join(" or ")}`, key.dtype);
  }
  const n = key.shape[2] as number;
  checkSide("value", value, sizes, valueDim, n, place);
  if (value.dtype !== key.dtype) {
    throw new InvalidInputError("value", `the key's dtype ${key.dtype}`, value.dtype);
  }
  const counts =
    lengths === undefined ? repeated(n, batch) : readEntries("lengths", lengths, batch, () => n);
  return { key, value, n, counts };
}

/** @throws InvalidInputError unless it is a tensor `[batch, kvHeads, n, size]` that can be written where the cache is */
function checkSide(
  argument: string,
  t: Tensor,
  { batch, kvHeads }: CacheSizes,
  size: number,
  n: number | null,
  place: Place,
): void {
  checkTensor(argument, t);
  const { shape } = t;
  const fits =
    shape.length === 4 &&
    shape[0] === batch &&
    shape[1] === kvHeads &&
    (n === null || shape[2] === n) &&
    shape[3] === size;
  if (!fits) {
    const sizes = [batch, kvHeads, n ?? "n", size].join(", ");
    throw new InvalidInputError(argument, `shape [${sizes}]`, `[${shape.join(", ")}]`);
  }
  checkPlace(argument, t, place);
}

/** The latest answer of {@link repeated}: a decoder appends as many tokens each time. */
let repeats = new Int32Array(0);

/** An integer for each of some batch entries, in an array that calls share. */
function repeated(value: number, batch: number): Int32Array {
  if (repeats.length !== batch || repeats[0] !== value) repeats = new Int32Array(batch).fill(value);
  return repeats;
}

/** @throws InvalidInputError unless there is one integer a batch entry, from 0 to a limit */
export function readEntries(
  argument: string,
  given: ArrayLike<number>,
  batch: number,
  most: (b: number) => number,
): Int32Array {
  if (!Array.isArray(given) && !(given instanceof Int32Array)) {
    const expected = "an Int32Array or an array of integers";
    throw new InvalidInputError(argument, expected, describeValue(given));
  }
  if (given.length !== batch) {
    const expected = `${batch} integers, one a batch entry`;
    throw new InvalidInputError(argument, expected, `${given.length} of them`);
  }
  const values = new Int32Array(batch);
  for (let b = 0; b < batch; b++) {
    const value: unknown = given[b];
    if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > most(b)) {
      const expected = `an integer from 0 to ${most(b)} for batch entry ${b}`;
      throw new InvalidInputError(argument, expected, describeValue(value));
    }
    values[b] = value as number;
  }
  return values;
}
