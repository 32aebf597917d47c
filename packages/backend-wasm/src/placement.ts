import { bytesPerElement, elementCount, type HostTensor, type TypedArray } from "@heed/core";
import type { WasmMemory } from "./memory.js";

/** Where a tensor's elements are in wasm memory. */
export interface Placement {
  /** Of element `[0, 0, …]`, in bytes. */
  readonly address: number;
  /** One an axis, in elements; 0 repeats, and for axes of size 1. */
  readonly strides: readonly number[];
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

interface Elements {
  readonly data: Numbers;
  readonly View: new (buffer: ArrayBufferLike, address: number, length: number) => Numbers;
}

/** What a typed array has, without a union of signatures. */
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
 * A tensor's strides where its elements lie without gaps and neighbours along the last axis are
 * neighbours, in whatever order of axes; null otherwise.
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
  const last = shape.length - 1;
  const length = shape[last] as number;
  const stride = strides[last] as number;
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
