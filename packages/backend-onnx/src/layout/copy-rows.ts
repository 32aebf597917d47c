import { float16BitsToNumber, type HostTensor, holdsBits, type TypedArray } from "@heed/core";

/** Writes `count` elements, `stride` apart from element `start` on, to `at` and behind it. */
export type CopyRun = (start: number, stride: number, count: number, at: number) => void;

/** Writes rows of a head, converted, from an element on. */
export type CopyRows = (entry: number, head: number, row: number, rows: number, at: number) => void;

/**
 * Copies elements of a tensor and converts them: float16 where the target is none.
 *
 * @param into of the tensor's dtype, or of float32
 */
export function runCopier(t: HostTensor, into: TypedArray): CopyRun {
  const bits = asBits(t);
  if (bits && !holdsBits(into)) {
    const target = into as Float32Array;
    return (start, stride, count, at) => widen(bits, start, stride, target, at, count);
  }
  const elements = (bits ?? t.data) as Float32Array;
  const target = into as Float32Array;
  return (start, stride, count, at) => {
    if (stride === 1) target.set(elements.subarray(start, start + count), at);
    else spread(elements, start, stride, target, at, count);
  };
}

/**
 * Copies rows of a tensor of rank 4 and converts them.
 *
 * @param scales of int8; null of other dtypes
 */
export function rowCopier(t: HostTensor, scales: HostTensor | null, into: TypedArray): CopyRows {
  const { data, offset, strides, shape } = t;
  const size = shape[3] as number;
  const [entryStride, headStride, rowStride, stride] = strides as [number, number, number, number];
  const from = (entry: number, head: number, row: number): number =>
    offset + entry * entryStride + head * headStride + row * rowStride;
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
  const copy = runCopier(t, into);
  const packed = stride === 1 && rowStride === size;
  return (entry, head, row, rows, at) => {
    const start = from(entry, head, row);
    if (packed) {
      copy(start, 1, rows * size, at);
      return;
    }
    for (let r = 0; r < rows; r++) copy(start + r * rowStride, stride, size, at + r * size);
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

function spread(
  from: Float32Array,
  start: number,
  stride: number,
  into: Float32Array,
  at: number,
  count: number,
): void {
  for (let i = 0; i < count; i++) into[at + i] = from[start + i * stride] as number;
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
