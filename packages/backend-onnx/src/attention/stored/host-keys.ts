import {
  allocate,
  type FloatDType,
  float16BitsToNumber,
  type HostTensor,
  holdsBits,
  type KeyRange,
  type TypedArray,
} from "@heed/core";
import type { Group } from "./groups.js";

/** Arrays for keys and values of a run, which are used again by later runs. */
export class Scratch {
  readonly #free: TypedArray[] = [];

  /** An array of so many elements, which hold anything. */
  take(dtype: FloatDType, length: number): TypedArray {
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
    if (this.#free.length > kept) this.#free.shift();
  }
}

/** Keys and values of two runs under way. */
const kept = 4;

/**
 * The keys or values of a group, one entry after another: what its rows see of each sequence, converted, and
 * zeros elsewhere.
 *
 * @param t keys or values as they are stored, of any layout
 * @param scales of int8
 * @param into `[entries, heads, keys, size]`
 */
export function gatherKeys(
  t: HostTensor,
  scales: HostTensor | null,
  group: Group,
  into: TypedArray,
): void {
  const [, heads, , size] = t.shape as [number, number, number, number];
  const copy = rowCopier(t, scales, into);
  const headSize = group.keys * size;
  for (const [b, { sequence, start }] of group.entries.entries()) {
    const sight = group.sights[b] as KeyRange;
    const to = Math.min(sight.end, sequence.keyLength);
    for (let h = 0; h < heads; h++) {
      const at = (b * heads + h) * headSize;
      const [first, behind] = [Math.max(0, sight.start - start), Math.max(0, to - start)];
      into.fill(0 as never, at, at + Math.min(first, group.keys) * size);
      into.fill(0 as never, at + Math.max(first, behind) * size, at + headSize);
    }
    sequence.forEachRun(sight.start, to, (j, entry, row, rows) => {
      for (let h = 0; h < heads; h++) {
        copy(entry, h, row, rows, (b * heads + h) * headSize + (j - start) * size);
      }
    });
  }
}

/** Writes rows of a head, converted, from an element on. */
type CopyRows = (entry: number, head: number, row: number, rows: number, at: number) => void;

function rowCopier(t: HostTensor, scales: HostTensor | null, into: TypedArray): CopyRows {
  const { data, offset, strides, shape } = t;
  const size = shape[3] as number;
  const [entryStride, headStride, rowStride, stride] = strides as [number, number, number, number];
  const from = (entry: number, head: number, row: number): number =>
    offset + entry * entryStride + head * headStride + row * rowStride;
  const packed = stride === 1 && rowStride === size;
  if (scales) {
    const [entries, scaleHeads, scaleRows] = scales.strides as [number, number, number];
    const [elements, factors, target] = [data, scales.data, into] as [
      Int8Array,
      Float32Array,
      Float32Array,
    ];
    return (entry, head, row, rows, at) => {
      for (let r = row; r < row + rows; r++) {
        const place = scales.offset + entry * entries + head * scaleHeads + r * scaleRows;
        const start = from(entry, head, r);
        scaleRow(elements, start, stride, factors[place] as number, target, at, size);
        at += size;
      }
    };
  }
  const bits = asBits(t);
  if (bits && !holdsBits(into)) {
    const target = into as Float32Array;
    return (entry, head, row, rows, at) => {
      if (packed) {
        widen(bits, from(entry, head, row), 1, target, at, rows * size);
        return;
      }
      for (let r = 0; r < rows; r++) {
        widen(bits, from(entry, head, row + r), stride, target, at + r * size, size);
      }
    };
  }
  const elements = (bits ?? data) as Float32Array;
  const target = into as Float32Array;
  return (entry, head, row, rows, at) => {
    const start = from(entry, head, row);
    if (packed) {
      target.set(elements.subarray(start, start + rows * size), at);
      return;
    }
    let to = at;
    for (let r = 0; r < rows; r++) {
      const first = start + r * rowStride;
      if (stride === 1) target.set(elements.subarray(first, first + size), to);
      else {
        for (let c = 0; c < size; c++) target[to + c] = elements[first + c * stride] as number;
      }
      to += size;
    }
  };
}

/** Functions of their own, whose arrays are of one kind: an engine compiles loops for what they have met. */
function scaleRow(
  from: Int8Array,
  start: number,
  stride: number,
  scale: number,
  into: Float32Array,
  at: number,
  size: number,
): void {
  for (let c = 0; c < size; c++) into[at + c] = (from[start + c * stride] as number) * scale;
}

function widen(
  from: Uint16Array,
  start: number,
  stride: number,
  into: Float32Array,
  at: number,
  count: number,
): void {
  const numbers = float16Numbers();
  for (let i = 0; i < count; i++) {
    into[at + i] = numbers[from[start + i * stride] as number] as number;
  }
}

/** float16 elements as their bits; null of other dtypes. */
function asBits({ dtype, data }: HostTensor): Uint16Array | null {
  if (dtype !== "float16") return null;
  return new Uint16Array(data.buffer, data.byteOffset, data.length);
}

let float16Table: Float32Array | null = null;

/** The number of each 16 bits: looking it up is several times as fast as working it out. */
function float16Numbers(): Float32Array {
  float16Table ??= Float32Array.from({ length: 2 ** 16 }, (_, bits) => float16BitsToNumber(bits));
  return float16Table;
}
