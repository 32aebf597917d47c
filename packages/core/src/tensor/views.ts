import { describeValue, InvalidInputError } from "../errors.js";
import { allocate } from "./dtype.js";
import {
  checkTensor,
  elementCount,
  type HostTensor,
  isContiguous,
  isDeviceTensor,
  MadeTensor,
  tensor,
} from "./tensor.js";

/**
 * Reorders axes. A view.
 *
 * @param axes for each axis of the result, the axis of `t` that it is
 */
export function transpose(t: HostTensor, axes: readonly number[]): HostTensor {
  checkHost(t);
  const rank = t.shape.length;
  const valid =
    Array.isArray(axes) &&
    axes.length === rank &&
    [...axes].sort((a, b) => a - b).every((axis, i) => axis === i);
  if (!valid) {
    throw new InvalidInputError("axes", `a permutation of 0 to ${rank - 1}`, describeValue(axes));
  }
  return view(
    t,
    axes.map((axis) => t.shape[axis] as number),
    axes.map((axis) => t.strides[axis] as number),
  );
}

/**
 * Keeps `start ≤ index < end` along an axis. A view.
 *
 * @param axis from 0
 * @param start from 0 to `end`
 * @param end at most the axis's size, its default
 */
export function slice(t: HostTensor, axis: number, start: number, end?: number): HostTensor {
  checkHost(t);
  if (!Number.isInteger(axis) || axis < 0 || axis >= t.shape.length) {
    throw new InvalidInputError(
      "axis",
      `an integer from 0 to ${t.shape.length - 1}`,
      describeValue(axis),
    );
  }
  const size = t.shape[axis] as number;
  const stop = end ?? size;
  if (!Number.isInteger(stop) || stop < 0 || stop > size) {
    throw new InvalidInputError("end", `an integer from 0 to ${size}`, describeValue(end));
  }
  if (!Number.isInteger(start) || start < 0 || start > stop) {
    throw new InvalidInputError("start", `an integer from 0 to ${stop}`, describeValue(start));
  }
  const shape = t.shape.map((size, i) => (i === axis ? stop - start : size));
  return view(t, shape, t.strides, t.offset + start * (t.strides[axis] as number));
}

/**
 * `[batch, length, heads·headDim]` as `[batch, heads, length, headDim]`. A view.
 *
 * @param heads a divisor of the last axis
 */
export function splitHeads(t: HostTensor, heads: number): HostTensor {
  checkHost(t);
  if (t.shape.length !== 3) {
    throw new InvalidInputError(
      "t",
      "shape [batch, length, heads·headDim]",
      `[${t.shape.join(", ")}]`,
    );
  }
  const [batch, length, width] = t.shape as [number, number, number];
  const [batchStride, lengthStride, stride] = t.strides as [number, number, number];
  if (!Number.isInteger(heads) || heads < 1 || width % heads !== 0) {
    throw new InvalidInputError("heads", `a divisor of ${width}`, describeValue(heads));
  }
  const headDim = width / heads;
  return view(
    t,
    [batch, heads, length, headDim],
    [batchStride, headDim * stride, lengthStride, stride],
  );
}

/**
 * `[batch, heads, length, headDim]` as `[batch, length, heads·headDim]`: what a layer's output
 * projection wants. A view where the strides allow it (as after {@link splitHeads}); otherwise, as
 * for the contiguous output of a run, the elements are copied, since no strides can say it.
 */
export function mergeHeads(t: HostTensor): HostTensor {
  checkHost(t);
  if (t.shape.length !== 4) {
    throw new InvalidInputError(
      "t",
      "shape [batch, heads, length, headDim]",
      `[${t.shape.join(", ")}]`,
    );
  }
  const [batch, heads, length, headDim] = t.shape as [number, number, number, number];
  const merged = [batch, length, heads * headDim];
  const [batchStride, headStride, lengthStride, stride] = t.strides as [
    number,
    number,
    number,
    number,
  ];
  if (heads <= 1 || headDim === 0) return view(t, merged, [batchStride, lengthStride, stride]);
  if (headDim === 1) return view(t, merged, [batchStride, lengthStride, headStride]);
  if (headStride === headDim * stride) return view(t, merged, [batchStride, lengthStride, stride]);
  const copy = contiguous(transpose(t, [0, 2, 1, 3]));
  return tensor(copy.data, merged, { dtype: t.dtype });
}

/** The tensor itself where its elements stand in row-major order without gaps, else such a copy. */
export function contiguous(t: HostTensor): HostTensor {
  checkHost(t);
  if (isContiguous(t)) return t;
  const data = allocate(t.dtype, elementCount(t.shape));
  // Float16Array and Uint16Array hold the same bits but convert on assignment: copy bits.
  const [to, from] = t.dtype === "float16" ? [bitsOf(data), bitsOf(t.data)] : [data, t.data];
  let at = 0;
  forEachRow(t, (start, length, stride) => {
    for (let i = 0; i < length; i++) to[at++] = from[start + i * stride] as number;
  });
  return tensor(data, t.shape, { dtype: t.dtype });
}

/**
 * Visits a tensor in row-major order, one run along the last axis at a time; a scalar is one run.
 *
 * @param visit gets where the run starts in `data`, its length and its stride, in elements
 */
export function forEachRow(
  t: HostTensor,
  visit: (start: number, length: number, stride: number) => void,
): void {
  if (elementCount(t.shape) === 0) return;
  const last = t.shape.length - 1;
  const length = last < 0 ? 1 : (t.shape[last] as number);
  const stride = last < 0 ? 1 : (t.strides[last] as number);
  const walk = (axis: number, start: number): void => {
    if (axis >= last) {
      visit(start, length, stride);
      return;
    }
    const size = t.shape[axis] as number;
    const step = t.strides[axis] as number;
    for (let i = 0; i < size; i++) walk(axis + 1, start + i * step);
  };
  walk(0, t.offset);
}

/**
 * A view with numpy's broadcasting rules: missing leading axes and axes of size 1 repeat, with
 * stride 0.
 *
 * @throws InvalidInputError where the shape does not broadcast to the wanted one
 */
export function broadcastTo(
  t: HostTensor,
  shape: readonly number[],
  argument: string = "t",
): HostTensor {
  const missing = shape.length - t.shape.length;
  const fits =
    missing >= 0 && t.shape.every((size, i) => size === 1 || size === shape[i + missing]);
  if (!fits) {
    throw new InvalidInputError(
      argument,
      `a shape that broadcasts to [${shape.join(", ")}]`,
      `[${t.shape.join(", ")}]`,
    );
  }
  const strides = shape.map((_, i) =>
    i < missing || t.shape[i - missing] === 1 ? 0 : (t.strides[i - missing] as number),
  );
  return view(t, shape, strides);
}

function bitsOf(data: HostTensor["data"]): Uint16Array {
  return new Uint16Array(data.buffer, data.byteOffset, data.length);
}

function checkHost(t: HostTensor): void {
  checkTensor("t", t);
  if (isDeviceTensor(t)) {
    throw new InvalidInputError("t", "a host tensor", "a device tensor; read() it first");
  }
}

function view(
  t: HostTensor,
  shape: readonly number[],
  strides: readonly number[],
  offset: number = t.offset,
): HostTensor {
  return new MadeTensor(t.dtype, shape, strides, offset, t.data);
}
