import { describeValue, InvalidInputError, OutOfMemoryError } from "../errors.js";
import { Float16ArrayConstructor, type Float16ArrayLike } from "./float16.js";
import { typedArrayName } from "./typed-array.js";

/**
 * Element types. `float16` is a `Float16Array` where the runtime has one, or a `Uint16Array` of
 * IEEE 754 binary16 bits anywhere; `bool` is a `Uint8Array` in which 0 is false and all else true;
 * `int8` holds quantised rows of a cache, whose scales stand beside it.
 */
export type DType = "float64" | "float32" | "float16" | "int32" | "int8" | "uint8" | "bool";

/** The dtypes that queries, keys and values can have. */
export type FloatDType = "float64" | "float32" | "float16";

/** The typed array that holds the elements of each dtype. */
export interface DataOfDType {
  readonly float64: Float64Array;
  readonly float32: Float32Array;
  readonly float16: Float16ArrayLike | Uint16Array;
  readonly int32: Int32Array;
  readonly int8: Int8Array;
  readonly uint8: Uint8Array;
  readonly bool: Uint8Array;
}

/** A typed array that can hold a tensor's elements. */
export type TypedArray = DataOfDType[DType];

/** The dtype of softmax statistics, such as log-sum-exp, for inputs of a dtype. */
export type StatisticsDType<D extends FloatDType = FloatDType> = D extends "float64"
  ? "float64"
  : "float32";

export const dtypes: readonly DType[] = [
  "float64",
  "float32",
  "float16",
  "int32",
  "int8",
  "uint8",
  "bool",
];

const elementBytes: Readonly<Record<DType, number>> = {
  float64: 8,
  float32: 4,
  float16: 2,
  int32: 4,
  int8: 1,
  uint8: 1,
  bool: 1,
};

/**
 * Bytes that one element takes.
 *
 * @throws InvalidInputError for what is no dtype
 */
export function bytesPerElement(dtype: DType): number {
  checkDType("dtype", dtype);
  return elementBytes[dtype];
}

export function isDType(value: unknown): value is DType {
  return typeof value === "string" && Object.hasOwn(elementBytes, value);
}

/** @throws InvalidInputError */
export function checkDType(argument: string, dtype: unknown): asserts dtype is DType {
  if (isDType(dtype)) return;
  throw new InvalidInputError(argument, `one of ${dtypes.join(", ")}`, describeValue(dtype));
}

export function isFloatDType(dtype: unknown): dtype is FloatDType {
  return dtype === "float64" || dtype === "float32" || dtype === "float16";
}

/**
 * The dtype of log-sum-exp: that of the softmax statistics, float32 at least.
 *
 * @throws InvalidInputError for other dtypes than floats
 */
export function statisticsDType<D extends FloatDType>(dtype: D): StatisticsDType<D> {
  if (!isFloatDType(dtype)) {
    throw new InvalidInputError("dtype", "float64, float32 or float16", describeValue(dtype));
  }
  return (dtype === "float64" ? "float64" : "float32") as StatisticsDType<D>;
}

const none: readonly DType[] = [];
const dtypesOfArray: Readonly<Record<string, readonly DType[]>> = {
  Float64Array: ["float64"],
  Float32Array: ["float32"],
  Float16Array: ["float16"],
  Uint16Array: ["float16"],
  Int32Array: ["int32"],
  Int8Array: ["int8"],
  Uint8Array: ["uint8", "bool"],
};

/** The dtypes that an array can hold; the first is the one meant when none is named. */
export function dtypesOf(data: unknown): readonly DType[] {
  const name = typedArrayName(data);
  return name === undefined ? none : (dtypesOfArray[name] ?? none);
}

/**
 * A zero-filled array for elements of a dtype.
 *
 * @throws InvalidInputError for what is no dtype or no length
 * @throws OutOfMemoryError if the JavaScript engine has no memory for it
 */
export function allocate<D extends DType>(dtype: D, length: number): DataOfDType[D] {
  checkDType("dtype", dtype);
  if (!Number.isSafeInteger(length) || length < 0) {
    throw new InvalidInputError("length", "an integer ≥ 0", describeValue(length));
  }
  try {
    return allocateUnchecked(dtype, length) as DataOfDType[D];
  } catch (cause) {
    throw new OutOfMemoryError(
      "host",
      `no memory for ${length} elements of ${dtype}, ${length * elementBytes[dtype]} bytes`,
      { cause },
    );
  }
}

function allocateUnchecked(dtype: DType, length: number): TypedArray {
  switch (dtype) {
    case "float64":
      return new Float64Array(length);
    case "float32":
      return new Float32Array(length);
    case "float16":
      return Float16ArrayConstructor
        ? new Float16ArrayConstructor(length)
        : new Uint16Array(length);
    case "int32":
      return new Int32Array(length);
    case "int8":
      return new Int8Array(length);
    default:
      return new Uint8Array(length);
  }
}
