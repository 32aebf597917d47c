import { guarded } from "../options.js";
import type { TypedArray } from "../tensor/dtype.js";
import {
  float16BitsToNumber,
  float32BitsToFloat16Bits,
  numberToFloat16Bits,
} from "../tensor/float16.js";
import type { HostTensor } from "../tensor/tensor.js";
import { holdsBits } from "../tensor/values.js";
import type { BoundScatter } from "./bind.js";

/** The members of a bound call that are computed on. */
type HostCall = Pick<
  BoundScatter<HostTensor>,
  "problem" | "target" | "source" | "scales" | "slots"
>;

/**
 * Scatter over typed arrays, in place: for backends whose memory JavaScript can write.
 *
 * @param bound a bound call whose tensors are in host memory, with any strides
 * @throws InvalidInputError for what is no bound call
 */
export const scatterRows: (bound: HostCall) => void = guarded("bound", writeRows);

function writeRows({ problem, target, source, scales, slots }: HostCall): void {
  const { batch, heads, count, rows, headDim } = problem;
  const copies = copiesBits(target, source);
  const write = copies ? null : rowWriter(target, source, headDim);
  // As bits: a NaN that is copied as a number may lose some of its own.
  const toBits = copies ? asBits(target.data) : noBits;
  const fromBits = copies ? asBits(source.data) : noBits;
  const tc = target.strides[3] as number;
  const sc = source.strides[3] as number;
  // By index: destructuring makes iterators, for each token of a decode loop.
  const tb = strideOf(target, 0);
  const th = strideOf(target, 1);
  const tr = strideOf(target, 2);
  const sb = strideOf(source, 0);
  const sh = strideOf(source, 1);
  const si = strideOf(source, 2);
  const kb = strideOf(scales, 0);
  const kh = strideOf(scales, 1);
  const kr = strideOf(scales, 2);
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < count; i++) {
      const slot = slots[b * count + i] as number;
      if (slot === -1) continue;
      const entry = Math.floor(slot / rows);
      const row = slot - entry * rows;
      let to = target.offset + entry * tb + row * tr;
      let from = source.offset + b * sb + i * si;
      let scaleAt = (scales?.offset ?? 0) + entry * kb + row * kr;
      for (let h = 0; h < heads; h++, to += th, from += sh, scaleAt += kh) {
        if (write === null) {
          for (let c = 0; c < headDim; c++) {
            toBits[to + c * tc] = fromBits[from + c * sc] as number;
          }
          continue;
        }
        const scale = write(to, from);
        if (scales) scales.data[scaleAt] = scale;
      }
    }
  }
}

function strideOf(t: HostTensor | undefined, axis: number): number {
  return t?.strides[axis] ?? 0;
}

const noBits = new Uint16Array(0);

/** Whether elements are copied as they are. */
function copiesBits(target: HostTensor, source: HostTensor): boolean {
  return target.dtype === source.dtype && holdsBits(target.data) === holdsBits(source.data);
}

/** Writes one row of a source, from an index on, into a target, and returns its scale, if it has one. */
type RowWriter = (to: number, from: number) => number;

function rowWriter(target: HostTensor, source: HostTensor, headDim: number): RowWriter {
  const tc = target.strides[3] as number;
  const sc = source.strides[3] as number;
  const to = target.data as TypedArray;
  const from = source.data as TypedArray;
  if (target.dtype === "int8") return quantisingWriter(to as Int8Array, tc, source, headDim);
  const toBits = holdsBits(to);
  const fromBits = holdsBits(from);
  if (toBits && from instanceof Float32Array) {
    const bits = new Uint32Array(from.buffer, from.byteOffset, from.length);
    return (at, start) => {
      for (let c = 0; c < headDim; c++) {
        to[at + c * tc] = float32BitsToFloat16Bits(bits[start + c * sc] as number);
      }
      return 0;
    };
  }
  const convert = conversion(toBits, fromBits);
  return (at, start) => {
    for (let c = 0; c < headDim; c++) to[at + c * tc] = convert(from[start + c * sc] as number);
    return 0;
  };
}

/** From an array's elements to another's, which rounds what is stored in it, once. */
function conversion(toBits: boolean, fromBits: boolean): (x: number) => number {
  if (fromBits) return float16BitsToNumber;
  return toBits ? numberToFloat16Bits : (x) => x;
}

/** Halfway between neighbouring integers, a sum with this is rounded to the even one: 1.5 · 2^52. */
const toInteger = 6755399441055744;

/** A row as numbers, while it is quantised. */
let scratch = new Float64Array(0);

function quantisingWriter(
  to: Int8Array,
  step: number,
  source: HostTensor,
  headDim: number,
): RowWriter {
  const from = source.data as TypedArray;
  const stride = source.strides[3] as number;
  const bits = holdsBits(from);
  if (scratch.length < headDim) scratch = new Float64Array(headDim);
  const row = scratch;
  return (at, start) => {
    let most = 0;
    for (let c = 0; c < headDim; c++) {
      const x = from[start + c * stride] as number;
      const value = bits ? float16BitsToNumber(x) : x;
      row[c] = value;
      // Math.max, unlike a comparison, keeps NaN.
      most = Math.max(most, Math.abs(value));
    }
    const scale = Math.fround(most / 127);
    const finite = scale - scale === 0;
    for (let c = 0; c < headDim; c++) {
      let q = 0;
      if (finite && scale !== 0) {
        q = (row[c] as number) / scale + toInteger - toInteger;
        q = q > 127 ? 127 : q < -127 ? -127 : q;
      }
      to[at + c * step] = q;
    }
    return finite ? scale : Number.NaN;
  };
}

/** Floats as numbers whose bits survive being copied. */
function asBits(data: TypedArray): Float64Array | Int32Array | Uint16Array {
  const { buffer, byteOffset, length } = data;
  switch (data.BYTES_PER_ELEMENT) {
    case 8:
      return data as Float64Array;
    case 4:
      return new Int32Array(buffer, byteOffset, length);
    default:
      return new Uint16Array(buffer, byteOffset, length);
  }
}
