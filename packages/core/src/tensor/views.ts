import { describeValue, InvalidInputError } from "../errors.js";
import { isList, reading } from "../options.js";
import type { DType } from "./dtype.js";
import { isDeviceTensor, readHostTensor, readTensor, relayout } from "./host-tensor.js";
import type { DeviceTensor, HostTensor, Tensor } from "./interfaces.js";
import { elementCount, isRowMajor, type Layout, readShape, rowMajorStrides } from "./layout.js";
import { copyRowMajor } from "./values.js";

/** A view of a host tensor is a host tensor, one of a device tensor shares its memory there. */
export type ViewOf<T extends Tensor> =
  T extends DeviceTensor<infer D>
    ? DeviceTensor<D>
    : T extends HostTensor<infer D>
      ? HostTensor<D>
      : never;

/**
 * Reorders axes. A view.
 *
 * @param axes for each axis of the result, the axis of `t` that it is
 * @throws InvalidInputError, DisposedError
 */
export function transpose<T extends Tensor>(t: T, axes: readonly number[]): ViewOf<T> {
  const { source, layout } = readLayout(t);
  const rank = layout.shape.length;
  const order = readPermutation(axes, rank);
  if (order === null) {
    throw new InvalidInputError("axes", `a permutation of 0 to ${rank - 1}`, describeValue(axes));
  }
  return view(
    source,
    order.map((axis) => layout.shape[axis] as number),
    order.map((axis) => layout.strides[axis] as number),
    layout.offset,
  ) as ViewOf<T>;
}

/**
 * Keeps `start ≤ index < end` along an axis. A view.
 *
 * @param axis from 0
 * @param start from 0 to `end`
 * @param end at most the axis's size, its default
 * @throws InvalidInputError, DisposedError
 */
export function slice<T extends Tensor>(
  t: T,
  axis: number,
  start: number,
  end?: number,
): ViewOf<T> {
  const { source, layout } = readLayout(t);
  const { shape, strides, offset } = layout;
  if (!Number.isInteger(axis) || axis < 0 || axis >= shape.length) {
    throw new InvalidInputError(
      "axis",
      `an integer from 0 to ${shape.length - 1}`,
      describeValue(axis),
    );
  }
  const size = shape[axis] as number;
  const stop = end ?? size;
  if (!Number.isInteger(stop) || stop < 0 || stop > size) {
    throw new InvalidInputError("end", `an integer from 0 to ${size}`, describeValue(end));
  }
  if (!Number.isInteger(start) || start < 0 || start > stop) {
    throw new InvalidInputError("start", `an integer from 0 to ${stop}`, describeValue(start));
  }
  const kept = shape.map((size, i) => (i === axis ? stop - start : size));
  return view(source, kept, strides, offset + start * (strides[axis] as number)) as ViewOf<T>;
}

/**
 * The same elements in row-major order with other sizes. A view, for which `t` must be row-major
 * without gaps; {@link contiguous} makes a copy that is.
 *
 * @param shape sizes with as many elements in all
 * @throws InvalidInputError, DisposedError
 */
export function reshape<T extends Tensor>(t: T, shape: readonly number[]): ViewOf<T> {
  const { source, layout } = readLayout(t);
  const sizes = readShape("shape", shape);
  const count = elementCount(layout.shape);
  if (elementCount(sizes) !== count) {
    throw new InvalidInputError(
      "shape",
      `sizes of ${count} elements in all, as [${layout.shape.join(", ")}] has`,
      `[${sizes.join(", ")}], ${elementCount(sizes)} elements`,
    );
  }
  if (!isRowMajor(layout)) {
    throw new InvalidInputError(
      "t",
      "a row-major tensor without gaps (contiguous() makes one)",
      `strides [${layout.strides.join(", ")}] for shape [${layout.shape.join(", ")}]`,
    );
  }
  return view(source, sizes, rowMajorStrides(sizes), layout.offset) as ViewOf<T>;
}

/**
 * `[batch, length, heads·headDim]` as `[batch, heads, length, headDim]`. A view.
 *
 * @param heads a divisor of the last axis
 * @throws InvalidInputError, DisposedError
 */
export function splitHeads<T extends Tensor>(t: T, heads: number): ViewOf<T> {
  const { source, layout } = readLayout(t);
  if (layout.shape.length !== 3) {
    throw new InvalidInputError(
      "t",
      "shape [batch, length, heads·headDim]",
      `[${layout.shape.join(", ")}]`,
    );
  }
  const [batch, length, width] = layout.shape as [number, number, number];
  const [batchStride, lengthStride, stride] = layout.strides as [number, number, number];
  if (!Number.isInteger(heads) || heads < 1 || width % heads !== 0) {
    throw new InvalidInputError("heads", `a divisor of ${width}`, describeValue(heads));
  }
  const headDim = width / heads;
  return view(
    source,
    [batch, heads, length, headDim],
    [batchStride, headDim * stride, lengthStride, stride],
    layout.offset,
  ) as ViewOf<T>;
}

/**
 * `[batch, heads, length, headDim]` as `[batch, length, heads·headDim]`: what a layer's output
 * projection takes. A view where the strides allow it (as after {@link splitHeads}). Where they do
 * not, as for the row-major output of a run with several heads, a host tensor is copied, and a device
 * tensor is refused.
 *
 * @throws InvalidInputError, DisposedError
 */
export function mergeHeads<T extends Tensor>(t: T): ViewOf<T> {
  const { source, layout } = readLayout(t);
  const { shape, offset } = layout;
  if (shape.length !== 4) {
    throw new InvalidInputError(
      "t",
      "shape [batch, heads, length, headDim]",
      `[${shape.join(", ")}]`,
    );
  }
  const [batch, heads, length, headDim] = shape as [number, number, number, number];
  const merged = [batch, length, heads * headDim];
  const [batchStride, headStride, lengthStride, stride] = layout.strides as [
    number,
    number,
    number,
    number,
  ];
  const viewOf = (last: number) => view(source, merged, [batchStride, lengthStride, last], offset);
  if (heads <= 1 || headDim === 0 || headStride === headDim * stride) {
    return viewOf(stride) as ViewOf<T>;
  }
  if (headDim === 1) return viewOf(headStride) as ViewOf<T>;
  if (isDeviceTensor(source)) {
    throw new InvalidInputError(
      "t",
      "strides of which merged heads are a view, or a host tensor, which can be copied",
      `strides [${layout.strides.join(", ")}] on backend ${describeValue(source.backend)}`,
    );
  }
  return reshape(contiguous(transpose(source, [0, 2, 1, 3])), merged) as Tensor as ViewOf<T>;
}

/**
 * The tensor itself where its elements stand in row-major order without gaps, else such a copy.
 *
 * @throws InvalidInputError for what is no host tensor
 */
export function contiguous<D extends DType>(t: HostTensor<D>): HostTensor<D> {
  const source = readHostTensor("t", t);
  if (isRowMajor(source)) return source === t ? t : source;
  return relayout(copyRowMajor(source), source.shape, rowMajorStrides(source.shape));
}

/**
 * Whether the elements stand in row-major order without gaps (from any offset).
 *
 * @throws InvalidInputError, DisposedError
 */
export function isContiguous(t: Tensor): boolean {
  return isRowMajor(readLayout(t).layout);
}

/**
 * A view with NumPy's broadcasting rules: missing leading axes and axes of size 1 repeat, with
 * stride 0.
 *
 * @param argument name of the tensor in errors
 * @throws InvalidInputError where the shape does not broadcast to the wanted one, DisposedError
 */
export function broadcastTo<T extends Tensor>(
  t: T,
  shape: readonly number[],
  argument: string = "t",
): ViewOf<T> {
  const { source, layout } = readLayout(t, argument);
  const sizes = readShape("shape", shape);
  const missing = sizes.length - layout.shape.length;
  const fits =
    missing >= 0 && layout.shape.every((size, i) => size === 1 || size === sizes[i + missing]);
  if (!fits) {
    throw new InvalidInputError(
      argument,
      `a shape that broadcasts to [${sizes.join(", ")}]`,
      `[${layout.shape.join(", ")}]`,
    );
  }
  const strides = sizes.map((_, i) =>
    i < missing || layout.shape[i - missing] === 1 ? 0 : (layout.strides[i - missing] as number),
  );
  return view(source, sizes, strides, layout.offset) as ViewOf<T>;
}

/** A copy of axes if they are a permutation, else null. */
function readPermutation(axes: unknown, rank: number): number[] | null {
  return reading("axes", () => {
    if (!isList(axes) || axes.length !== rank) return null;
    const order: number[] = [];
    for (let i = 0; i < rank; i++) {
      const axis = axes[i] as number;
      if (!Number.isInteger(axis) || axis < 0 || axis >= rank || order.includes(axis)) return null;
      order.push(axis);
    }
    return order;
  });
}

/** A tensor from outside, checked, and its layout; a device tensor may leave the usual one out. */
function readLayout(t: unknown, argument = "t"): { source: Tensor; layout: Layout } {
  const source = readTensor(argument, t);
  if (!isDeviceTensor(source)) return { source, layout: source };
  return reading(argument, () => {
    const { shape, strides = rowMajorStrides(shape), offset = 0 } = source;
    return { source, layout: { shape, strides, offset } };
  });
}

function view(
  t: Tensor,
  shape: readonly number[],
  strides: readonly number[],
  offset: number,
): Tensor {
  if (!isDeviceTensor(t)) return relayout(t, shape, strides, offset);
  return reading("t", () => {
    if (typeof t.view === "function") return t.view({ shape, strides, offset });
    throw new InvalidInputError(
      "t",
      "a host tensor, or one of a backend whose tensors have views",
      `a tensor of backend ${describeValue(t.backend)}`,
    );
  });
}
