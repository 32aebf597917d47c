import {
  bytesPerElement,
  type DType,
  elementCount,
  type HostTensor,
  rowMajorStrides,
  type TypedArray,
} from "@heed/core";
import type { WasmMemory } from "./memory.js";

/** Location of a tensor's elements in wasm memory. */
export interface Placement {
  /** Byte address of element `[0, 0, …]`. */
  readonly address: number;
  /** Distance between neighbours along each axis, in elements; 0 repeats. */
  readonly strides: readonly number[];
}

/** A tensor of a call in wasm memory. */
export interface PlacedTensor extends Placement {
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** Strides with which axes of size 1 repeat: 0 in place of theirs. */
export function repeated(shape: readonly number[], strides: readonly number[]): readonly number[] {
  const steps = new Array<number>(shape.length);
  for (let axis = 0; axis < shape.length; axis++) {
    steps[axis] = shape[axis] === 1 ? 0 : (strides[axis] as number);
  }
  return steps;
}

/**
 * Copies a host tensor into wasm memory, at most once an element: what strides of 0 repeat stays
 * repeated by strides, what lies without gaps in any order of axes is copied in one piece and keeps its
 * order, and everything else is packed row by row. Neighbours along the last axis are always
 * neighbours afterwards.
 *
 * @throws WasmOutOfMemoryError
 */
export function copyIn(memory: WasmMemory, t: HostTensor): Placement {
  const stored = t.shape.map((size, axis) => (t.strides[axis] === 0 ? Math.min(1, size) : size));
  const last = stored.length - 1;
  if (t.strides[last] === 0) stored[last] = t.shape[last] as number;
  const count = elementCount(stored);
  const size = bytesPerElement(t.dtype);
  const dense = denseStrides(stored, t.strides);
  const strides = dense ?? packedStrides(stored);
  const address = memory.allocate(count * size);
  // After the allocation: it may grow the memory, which voids earlier views.
  const source = elements(t.data);
  const to = new source.View(memory.memory.buffer, address, count);
  if (dense) to.set(source.data.subarray(t.offset, t.offset + count));
  else packRows(source.data, t.offset, t.strides, stored, to);
  const repeats = (axis: number): boolean => stored[axis] !== t.shape[axis];
  return { address, strides: strides.map((stride, axis) => (repeats(axis) ? 0 : stride)) };
}

/**
 * Copies some entries of a host tensor's first axis into wasm memory, one after another and row-major.
 *
 * @throws WasmOutOfMemoryError
 */
export function copyEntries(
  memory: WasmMemory,
  t: HostTensor,
  entries: readonly number[],
): Placement {
  const shape = [entries.length, ...t.shape.slice(1)];
  const count = elementCount(shape);
  const address = memory.allocate(count * bytesPerElement(t.dtype));
  const source = elements(t.data);
  const to = new source.View(memory.memory.buffer, address, count);
  const size = elementCount(t.shape.slice(1));
  const [stride = 0, ...strides] = t.strides;
  for (const [i, entry] of entries.entries()) {
    const part = to.subarray(i * size, (i + 1) * size);
    packRows(source.data, t.offset + entry * stride, strides, shape.slice(1), part);
  }
  return { address, strides: rowMajorStrides(shape) };
}

/** Rows `from ≤ row < to` of an entry of a tensor's first axis. */
export interface RowRange {
  readonly entry: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Copies rows of a host tensor `[entries, heads, rows, …]` into wasm memory, the ranges one after another:
 * `[heads, total, …]`, whose first stride is that of an axis of entries and repeats. Heads that repeat by a
 * stride of 0 are copied once.
 *
 * @param total rows of all ranges together
 * @throws WasmOutOfMemoryError
 */
export function copyRows(
  memory: WasmMemory,
  t: HostTensor,
  ranges: readonly RowRange[],
  total: number,
): Placement {
  const [entryStride = 0, headStride = 0, ...strides] = t.strides;
  const [, allHeads = 0, , ...row] = t.shape;
  const heads = headStride === 0 ? Math.min(1, allHeads) : allHeads;
  const size = elementCount(row);
  const count = heads * total * size;
  const address = memory.allocate(count * bytesPerElement(t.dtype));
  const source = elements(t.data);
  const to = new source.View(memory.memory.buffer, address, count);
  let at = 0;
  for (let head = 0; head < heads; head++) {
    for (const { entry, from, to: end } of ranges) {
      const start =
        t.offset + entry * entryStride + head * headStride + from * (strides[0] as number);
      const next = at + (end - from) * size;
      packRows(source.data, start, strides, [end - from, ...row], to.subarray(at, next));
      at = next;
    }
  }
  return {
    address,
    strides: [0, headStride === 0 ? 0 : total * size, ...rowMajorStrides([total, ...row])],
  };
}

/**
 * Copies elements within or out of wasm memory into row-major order.
 *
 * @param to as many elements as the shape says, of the same size, in wasm memory or the host's
 */
export function packFrom(
  memory: WasmMemory,
  shape: readonly number[],
  { address, strides }: Placement,
  to: TypedArray,
): void {
  const count = elementCount(shape);
  if (count === 0) return;
  const target = elements(to);
  const dense = isRowMajor(shape, strides);
  const last = shape.reduce((sum, n, axis) => sum + (n - 1) * (strides[axis] as number), 0);
  const length = dense ? count : last + 1;
  const from = new target.View(memory.memory.buffer, address, length);
  if (dense) target.data.set(from);
  else packRows(from, 0, strides, shape, target.data);
}

/** Whether elements lie in row-major order without gaps. */
export function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number;
    if (size > 1 && strides[axis] !== expected) return false;
    expected *= size;
  }
  return true;
}

/**
 * Copies a tensor of wasm memory to a new allocation, row-major.
 *
 * @throws WasmOutOfMemoryError
 */
export function gather(
  memory: WasmMemory,
  dtype: DType,
  shape: readonly number[],
  placement: Placement,
): Placement {
  const count = elementCount(shape);
  const size = bytesPerElement(dtype);
  const address = memory.allocate(count * size);
  const Bits = size === 1 ? Uint8Array : size === 2 ? Uint16Array : Float32Array;
  const to = new Bits(memory.memory.buffer as ArrayBuffer, address, count);
  packFrom(memory, shape, placement, to);
  return { address, strides: rowMajorStrides(shape) };
}

interface Elements {
  readonly data: Numbers;
  readonly View: new (buffer: ArrayBufferLike, address: number, length: number) => Numbers;
}

/** The part of a typed array that is used, without a union of signatures. */
interface Numbers {
  [index: number]: number;
  readonly length: number;
  set(source: Numbers, offset?: number): void;
  subarray(start: number, end: number): Numbers;
}

/** A tensor's elements as numbers that are copied as they are: float16 as its bits. */
function elements(data: TypedArray): Elements {
  const View = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: Float64Array }[
    data.BYTES_PER_ELEMENT
  ] as unknown as Elements["View"];
  return { data: new View(data.buffer, data.byteOffset, data.length), View };
}

/**
 * The strides of a tensor whose elements lie without gaps, in whatever order of axes, and whose neighbours
 * along the last axis are neighbours in memory; null for any other.
 */
function denseStrides(
  shape: readonly number[],
  strides: readonly number[],
): readonly number[] | null {
  const axes = shape.map((_, axis) => axis).filter((axis) => (shape[axis] as number) > 1);
  axes.sort((a, b) => (strides[a] as number) - (strides[b] as number));
  let expected = 1;
  for (const axis of axes) {
    if (strides[axis] !== expected) return null;
    expected *= shape[axis] as number;
  }
  const last = shape.length - 1;
  if ((shape[last] as number) > 1 && strides[last] !== 1) return null;
  return shape.map((size, axis) => (size > 1 ? (strides[axis] as number) : 0));
}

/** Row-major strides, 0 for axes of size 1. */
function packedStrides(shape: readonly number[]): readonly number[] {
  let stride = 1;
  const strides = new Array<number>(shape.length).fill(0);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number;
    if (size > 1) strides[axis] = stride;
    stride *= size;
  }
  return strides;
}

/** Rows at least so long are copied by `set`, whose call costs as much as a few elements. */
const longRow = 64;

function packRows(
  from: Numbers,
  offset: number,
  strides: readonly number[],
  shape: readonly number[],
  to: Numbers,
): void {
  if (to.length === 0) return;
  let last = shape.length - 1;
  let length = shape[last] as number;
  const stride = strides[last] as number;
  // Rows that follow one another are one row.
  while (last > 0 && stride === 1 && strides[last - 1] === length) {
    last -= 1;
    length *= shape[last] as number;
  }
  let at = 0;
  const walk = (axis: number, start: number): void => {
    if (axis < last) {
      const size = shape[axis] as number;
      for (let i = 0; i < size; i++) walk(axis + 1, start + i * (strides[axis] as number));
    } else if (stride === 1 && length >= longRow) {
      to.set(from.subarray(start, start + length), at);
      at += length;
    } else {
      for (let i = 0; i < length; i++) to[at++] = from[start + i * stride] as number;
    }
  };
  walk(0, offset);
}
