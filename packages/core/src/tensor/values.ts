import { describeValue, InvalidInputError } from "../errors.js";
import { reading } from "../options.js";
import {
  allocate,
  checkDType,
  type DType,
  dtypesOf,
  type FloatDType,
  isFloatDType,
  type TypedArray,
} from "./dtype.js";
import { float16BitsToNumber, numberToFloat16Bits } from "./float16.js";
import { makeHostTensor, readHostTensor } from "./host-tensor.js";
import type { HostTensor } from "./interfaces.js";
import { elementCount, forEachRun, readShape, rowMajorStrides } from "./layout.js";
import { typedArrayLength, typedArrayName } from "./typed-array.js";

/** Runs of this length are copied as a whole: shorter ones cost less element by element. */
const longRun = 12;

/**
 * The elements in row-major order as binary64, which holds every dtype's values exactly.
 *
 * @throws InvalidInputError for what is no host tensor
 */
export function toFloat64(t: HostTensor): Float64Array {
  const source = readHostTensor("t", t);
  const data = source.data as TypedArray;
  const values = allocate("float64", elementCount(source.shape));
  const bits = holdsBits(data);
  let at = 0;
  forEachRun(source, (start, length, stride) => {
    if (bits) {
      for (let i = 0; i < length; i++) {
        values[at + i] = float16BitsToNumber(data[start + i * stride] as number);
      }
    } else if (stride === 1 && length >= longRun) {
      values.set(data.subarray(start, start + length), at);
    } else {
      for (let i = 0; i < length; i++) values[at + i] = data[start + i * stride] as number;
    }
    at += length;
  });
  return values;
}

/**
 * A row-major copy of a tensor, bit by bit.
 *
 * @param t a tensor whose members are known to be well-formed
 */
export function copyRowMajor<D extends DType>(t: HostTensor<D>): HostTensor<D> {
  const { dtype, shape } = t;
  const data = allocate(dtype, elementCount(shape));
  // As integers of the same size: float16 and NaN keep their bits, and there are fewer kinds of loops.
  const to = asIntegers(data as TypedArray);
  const from = asIntegers(t.data as TypedArray);
  let at = 0;
  forEachRun(t, (start, length, stride) => {
    if (stride === 1 && length >= longRun) to.set(from.subarray(start, start + length), at);
    else for (let i = 0; i < length; i++) to[at + i] = from[start + i * stride] as number;
    at += length;
  });
  return makeHostTensor("", { dtype, shape, strides: rowMajorStrides(shape), offset: 0, data });
}

function asIntegers({ buffer, byteOffset, length, BYTES_PER_ELEMENT }: TypedArray) {
  switch (BYTES_PER_ELEMENT) {
    case 8:
      return new Float64Array(buffer, byteOffset, length);
    case 4:
      return new Int32Array(buffer, byteOffset, length);
    case 2:
      return new Uint16Array(buffer, byteOffset, length);
    default:
      return new Uint8Array(buffer, byteOffset, length);
  }
}

/**
 * A row-major tensor of the values, each rounded once to the dtype.
 *
 * @param values as many numbers as the shape says
 * @throws InvalidInputError naming `values`, `shape` or `dtype`; OutOfMemoryError
 */
export function fromFloat64<D extends DType>(
  values: ArrayLike<number>,
  shape: readonly number[],
  dtype: D,
): HostTensor<D> {
  checkDType("dtype", dtype);
  const sizes = readShape("shape", shape);
  const count = elementCount(sizes);
  const length = lengthOf("values", values);
  if (length !== count) {
    throw new InvalidInputError(
      "values",
      `${count} numbers for shape [${sizes.join(", ")}]`,
      `${length} of them`,
    );
  }
  const data = allocate(dtype, count);
  writeValues(values, data as TypedArray, 0, dtype);
  const strides = rowMajorStrides(sizes);
  return makeHostTensor("", { dtype, shape: sizes, strides, offset: 0, data });
}

/**
 * The same values in another dtype, each rounded once; the tensor itself if nothing changes.
 *
 * @throws InvalidInputError for what is no host tensor or dtype; OutOfMemoryError
 */
export function cast<D extends DType>(t: HostTensor, dtype: D): HostTensor<D> {
  const source = readHostTensor("t", t);
  if (source.dtype === dtype) return source as HostTensor as HostTensor<D>;
  return fromFloat64(toFloat64(source), source.shape, dtype);
}

/**
 * The nearest value of a dtype.
 *
 * @param dtype the rounding of arithmetic in it
 * @throws InvalidInputError for other dtypes than floats, and for what is no number
 */
export function roundTo(dtype: FloatDType, value: number): number {
  if (!isFloatDType(dtype)) {
    throw new InvalidInputError("dtype", "float64, float32 or float16", describeValue(dtype));
  }
  if (typeof value !== "number") {
    throw new InvalidInputError("value", "a number", describeValue(value));
  }
  if (dtype === "float64") return value;
  if (dtype === "float32") return Math.fround(value);
  return float16BitsToNumber(numberToFloat16Bits(value));
}

/**
 * Stores binary64 values into an array of a dtype, each rounded once.
 *
 * @param at index of the first element written
 * @throws InvalidInputError unless there is room for the values in an array of the dtype
 */
export function writeValues(
  values: ArrayLike<number>,
  data: TypedArray,
  at: number,
  dtype: DType,
): void {
  if (!dtypesOf(data).includes(dtype)) {
    throw new InvalidInputError(
      "data",
      `an array for ${describeValue(dtype)}`,
      describeValue(data),
    );
  }
  const length = lengthOf("values", values);
  if (!Number.isInteger(at) || at < 0 || at + length > typedArrayLength(data)) {
    throw new InvalidInputError(
      "at",
      `an index at which ${length} elements fit into ${typedArrayLength(data)}`,
      describeValue(at),
    );
  }
  if (typedArrayName(values) !== undefined) write(values, data, at, dtype);
  else reading("values", () => write(values, data, at, dtype));
}

function write(values: ArrayLike<number>, data: TypedArray, at: number, dtype: DType): void {
  const { length } = values;
  if (dtype === "bool") {
    for (let i = 0; i < length; i++) data[at + i] = values[i] ? 1 : 0;
  } else if (holdsBits(data)) {
    for (let i = 0; i < length; i++) data[at + i] = numberToFloat16Bits(values[i] as number);
  } else if (values instanceof Float64Array) {
    data.set(values, at);
  } else {
    for (let i = 0; i < length; i++) data[at + i] = values[i] as number;
  }
}

/** The number of elements of something like an array. */
function lengthOf(argument: string, values: unknown): number {
  if (typedArrayName(values) !== undefined) return typedArrayLength(values as object);
  const length = reading(argument, () =>
    typeof values === "object" && values !== null && "length" in values ? values.length : null,
  );
  if (Number.isSafeInteger(length) && (length as number) >= 0) return length as number;
  throw new InvalidInputError(argument, "an array of numbers", describeValue(values));
}

/** Whether an array holds float16 as bits rather than as numbers. */
export function holdsBits(data: TypedArray): data is Uint16Array {
  return typedArrayName(data) === "Uint16Array";
}
