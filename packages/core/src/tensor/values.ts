import { allocate, type DType, type FloatDType, type TypedArray } from "./dtype.js";
import { float16BitsToNumber, isFloat16Array, numberToFloat16Bits } from "./float16.js";
import { elementCount, type HostTensor, tensor } from "./tensor.js";
import { forEachRow } from "./views.js";

/** The elements in row-major order as binary64, which holds every dtype's values exactly. */
export function toFloat64(t: HostTensor): Float64Array {
  const values = new Float64Array(elementCount(t.shape));
  const bits = holdsBits(t.data);
  let at = 0;
  forEachRow(t, (start, length, stride) => {
    for (let i = 0; i < length; i++) {
      const element = t.data[start + i * stride] as number;
      values[at++] = bits ? float16BitsToNumber(element) : element;
    }
  });
  return values;
}

/** A row-major tensor of the values, each rounded once to the dtype. */
export function fromFloat64(
  values: ArrayLike<number>,
  shape: readonly number[],
  dtype: DType,
): HostTensor {
  const data = allocate(dtype, values.length);
  writeValues(values, data, 0, dtype);
  return tensor(data, shape, { dtype });
}

/** The same values in another dtype, each rounded once; the tensor itself if nothing changes. */
export function cast(t: HostTensor, dtype: DType): HostTensor {
  return t.dtype === dtype ? t : fromFloat64(toFloat64(t), t.shape, dtype);
}

/**
 * The nearest value of a dtype.
 *
 * @param dtype the rounding of arithmetic in it
 */
export function roundTo(dtype: FloatDType, value: number): number {
  if (dtype === "float64") return value;
  if (dtype === "float32") return Math.fround(value);
  return float16BitsToNumber(numberToFloat16Bits(value));
}

/** Stores binary64 values into an array of a dtype, from index `at`. */
export function writeValues(
  values: ArrayLike<number>,
  data: TypedArray,
  at: number,
  dtype: DType,
): void {
  if (dtype === "bool") {
    for (let i = 0; i < values.length; i++) data[at + i] = values[i] ? 1 : 0;
  } else if (holdsBits(data)) {
    for (let i = 0; i < values.length; i++) {
      data[at + i] = numberToFloat16Bits(values[i] as number);
    }
  } else {
    for (let i = 0; i < values.length; i++) data[at + i] = values[i] as number;
  }
}

/** Whether an array holds float16 as bits rather than as numbers. */
export function holdsBits(data: TypedArray): data is Uint16Array {
  return data instanceof Uint16Array && !isFloat16Array(data);
}
