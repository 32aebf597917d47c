import { Float16ArrayConstructor, type Float16ArrayLike, isFloat16Array } from "./float16.js";

/**
 * Element types. `float16` is a `Float16Array` where the runtime has one, or a `Uint16Array` of
 * IEEE 754 binary16 bits anywhere; `bool` is a `Uint8Array` in which 0 is false and all else true.
 */
export type DType = "float64" | "float32" | "float16" | "int32" | "uint8" | "bool";

/** The dtypes that queries, keys and values can have. */
export type FloatDType = "float64" | "float32" | "float16";

/** What can hold a tensor's elements. */
export type TypedArray =
  | Float64Array
  | Float32Array
  | Float16ArrayLike
  | Uint16Array
  | Int32Array
  | Uint8Array;

export const dtypes: readonly DType[] = ["float64", "float32", "float16", "int32", "uint8", "bool"];

const elementBytes: Readonly<Record<DType, number>> = {
  float64: 8,
  float32: 4,
  float16: 2,
  int32: 4,
  uint8: 1,
  bool: 1,
};

/** Bytes that one element takes. */
export function bytesPerElement(dtype: DType): number {
  return elementBytes[dtype];
}

export function isDType(value: unknown): value is DType {
  return typeof value === "string" && Object.hasOwn(elementBytes, value);
}

export function isFloatDType(dtype: DType): dtype is FloatDType {
  return dtype === "float64" || dtype === "float32" || dtype === "float16";
}

/** The dtype of log-sum-exp: that of the softmax statistics, float32 at least. */
export function statisticsDType(dtype: FloatDType): "float64" | "float32" {
  return dtype === "float64" ? "float64" : "float32";
}

/** The dtypes that an array can hold; the first is the one meant when none is named. */
export function dtypesOf(data: unknown): readonly DType[] {
  if (data instanceof Float64Array) return ["float64"];
  if (data instanceof Float32Array) return ["float32"];
  if (data instanceof Int32Array) return ["int32"];
  if (data instanceof Uint8Array) return ["uint8", "bool"];
  if (data instanceof Uint16Array || isFloat16Array(data)) return ["float16"];
  return [];
}

/** A zero-filled array for elements of a dtype. */
export function allocate(dtype: DType, length: number): TypedArray {
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
    default:
      return new Uint8Array(length);
  }
}
