import { describeValue, InvalidInputError } from "../errors.js";
import { isList, readOptions } from "../options.js";
import {
  allocate,
  checkDType,
  type DataOfDType,
  type DType,
  dtypesOf,
  type TypedArray,
} from "./dtype.js";
import { isFloat16Array, numberToFloat16Bits, polyfilledFloat16Bits } from "./float16.js";
import { makeHostTensor } from "./host-tensor.js";
import type { HostTensor } from "./interfaces.js";
import { elementCount, readShape, rowMajorStrides } from "./layout.js";
import { isDetached, typedArrayLength, typedArrayName } from "./typed-array.js";

export type { DeviceTensor, HostTensor, Tensor } from "./interfaces.js";

export interface TensorOptions<D extends DType = DType> {
  /** Default: what the array says; float32 for number arrays; needed for `Uint16Array` bits. */
  readonly dtype?: D | undefined;
  /** In elements. Default: row-major, without gaps. */
  readonly strides?: readonly number[] | undefined;
  /** In elements. Default 0. */
  readonly offset?: number | undefined;
}

const optionNames: ReadonlySet<keyof TensorOptions> = new Set(["dtype", "strides", "offset"]);

/**
 * A tensor over existing data, without a copy; number and boolean arrays are copied into a new
 * typed array. An array of another realm, and one of a polyfill's `Float16Array`, is wrapped in a
 * typed array of this realm over the same memory.
 *
 * @param data elements; without `strides` and `offset` there must be exactly as many as the shape
 *   says, otherwise every element that they reach must exist
 * @param shape sizes, each an integer ≥ 0
 * @throws InvalidInputError naming `data`, `shape`, `dtype`, `strides` or `offset`
 */
export function tensor(
  data: Float64Array,
  shape: readonly number[],
  options?: TensorOptions<"float64">,
): HostTensor<"float64">;
export function tensor(
  data: Float32Array,
  shape: readonly number[],
  options?: TensorOptions<"float32">,
): HostTensor<"float32">;
export function tensor(
  data: DataOfDType["float16"],
  shape: readonly number[],
  options?: TensorOptions<"float16">,
): HostTensor<"float16">;
export function tensor(
  data: Int32Array,
  shape: readonly number[],
  options?: TensorOptions<"int32">,
): HostTensor<"int32">;
export function tensor(
  data: Int8Array,
  shape: readonly number[],
  options?: TensorOptions<"int8">,
): HostTensor<"int8">;
export function tensor<D extends "uint8" | "bool" = "uint8">(
  data: Uint8Array,
  shape: readonly number[],
  options?: TensorOptions<D>,
): HostTensor<D>;
export function tensor<D extends DType = "bool">(
  data: readonly boolean[],
  shape: readonly number[],
  options?: TensorOptions<D>,
): HostTensor<D>;
export function tensor<D extends DType = "float32">(
  data: readonly number[],
  shape: readonly number[],
  options?: TensorOptions<D>,
): HostTensor<D>;
export function tensor(
  data: TypedArray | readonly number[] | readonly boolean[],
  shape: readonly number[],
  options?: TensorOptions,
): HostTensor;
export function tensor(
  data: TypedArray | readonly number[] | readonly boolean[],
  shape: readonly number[],
  options?: TensorOptions,
): HostTensor {
  const { dtype: asked, strides, offset } = readOptions("options", options, optionNames);
  if (asked !== undefined) checkDType("dtype", asked);
  const sizes = readShape("shape", shape);
  const exact = strides === undefined && offset === undefined;
  const given = polyfilledFloat16Bits(data) ?? data;
  const dtype = chooseDType(given, asked, given !== data);
  const array = isList(given) ? fromList(given, dtype, exact ? sizes : null) : given;
  if (exact) checkCount(array, sizes);
  return makeHostTensor("", {
    dtype,
    shape: sizes,
    strides: strides ?? rowMajorStrides(sizes),
    offset: offset ?? 0,
    data: array,
  });
}

/** @param polyfilled whether the data is of a `Float16Array`, which says what its bits are */
function chooseDType(data: unknown, asked: DType | undefined, polyfilled: boolean): DType {
  if (isList(data)) {
    if (asked !== undefined) return asked;
    return typeof elementOf(data, 0) === "boolean" ? "bool" : "float32";
  }
  const possible = dtypesOf(data);
  if (possible.length === 0) {
    throw new InvalidInputError(
      "data",
      "a Float64Array, Float32Array, Float16Array, Uint16Array (float16 bits), Int32Array, Int8Array, Uint8Array, or an array of numbers or booleans",
      describeValue(data),
    );
  }
  if (asked === undefined) {
    if (!polyfilled && typedArrayName(data) === "Uint16Array") {
      throw new InvalidInputError(
        "dtype",
        '"float16" said explicitly for a Uint16Array of bits',
        "undefined",
      );
    }
    return possible[0] as DType;
  }
  if (!possible.includes(asked)) {
    throw new InvalidInputError(
      "dtype",
      `${possible.map((d) => JSON.stringify(d)).join(" or ")} for ${describeValue(data)}`,
      JSON.stringify(asked),
    );
  }
  return asked;
}

function elementOf(list: readonly unknown[], index: number): unknown {
  try {
    return list[index];
  } catch (cause) {
    const actual = "an array that throws when it is read";
    throw new InvalidInputError(`data[${index}]`, "a number or a boolean", actual, { cause });
  }
}

/** @param sizes the shape, if the list must have exactly as many elements */
function fromList(
  list: readonly unknown[],
  dtype: DType,
  sizes: readonly number[] | null,
): TypedArray {
  if (sizes !== null) checkCount(list, sizes);
  const array = allocate(dtype, list.length) as TypedArray;
  const bits = dtype === "float16" && !isFloat16Array(array);
  for (let i = 0; i < list.length; i++) {
    const value = elementOf(list, i);
    if (typeof value !== "number" && typeof value !== "boolean") {
      throw new InvalidInputError(`data[${i}]`, "a number or a boolean", describeValue(value));
    }
    if (bits) array[i] = numberToFloat16Bits(Number(value));
    else if (dtype === "bool") array[i] = value ? 1 : 0;
    else array[i] = Number(value);
  }
  return array;
}

function checkCount(data: TypedArray | readonly unknown[], sizes: readonly number[]): void {
  const expected = elementCount(sizes);
  const count = isList(data) ? data.length : typedArrayLength(data);
  if (count === expected) return;
  throw new InvalidInputError(
    "data",
    `${expected} elements for shape [${sizes.join(", ")}]`,
    !isList(data) && isDetached(data) ? "a detached buffer" : `${count}`,
  );
}

/**
 * A fresh row-major tensor of zeros.
 *
 * @throws InvalidInputError naming `dtype` or `shape`
 * @throws OutOfMemoryError if the JavaScript engine has no memory for it
 */
export function zeros<D extends DType>(dtype: D, shape: readonly number[]): HostTensor<D> {
  checkDType("dtype", dtype);
  const sizes = readShape("shape", shape);
  return makeHostTensor("", {
    dtype,
    shape: sizes,
    strides: rowMajorStrides(sizes),
    offset: 0,
    data: allocate(dtype, elementCount(sizes)),
  });
}
