import {
  bytesPerElement,
  contiguous,
  elementCount,
  type HostTensor,
  InvalidInputError,
  isContiguous,
  rowMajorStrides,
  type TensorLayout,
} from "@heed/core";

/** A host tensor's elements as bytes that are ready to be copied to the device. */
export interface StagedTensor {
  /** Name of the tensor in errors. */
  readonly argument: string;
  /** Bytes in the caller's memory, or in a copy of it where the tensor had to be packed. */
  readonly bytes: Uint8Array;
  readonly byteLength: number;
  /** Layout of the tensor in the bytes. */
  readonly layout: TensorLayout;
}

/** Largest share of elements that may be gaps; a tensor with more gaps is packed before the upload. */
const mostGaps = 0.5;

/**
 * Selects the bytes of a tensor. Elements that lie close together are uploaded as they lie, with
 * their strides; a view of something much larger is packed first.
 *
 * @throws InvalidInputError where the tensor lies outside of its memory
 */
export function stageTensor(argument: string, t: HostTensor): StagedTensor {
  const count = elementCount(t.shape);
  const last = t.shape.reduce(
    (at, n, axis) => at + (t.strides[axis] as number) * (n - 1),
    t.offset,
  );
  const span = count === 0 ? 0 : last - t.offset + 1;
  if (count > 0 && (t.offset < 0 || last >= t.data.length)) {
    throw new InvalidInputError(
      argument,
      "elements within its data",
      `elements up to ${last} of ${t.data.length}`,
    );
  }
  const dense = isContiguous(t) || span <= count * (1 + mostGaps) ? t : contiguous(t);
  const elements = dense === t ? span : count;
  const size = bytesPerElement(t.dtype);
  const start = count === 0 ? 0 : dense.data.byteOffset + dense.offset * size;
  const bytes = new Uint8Array(dense.data.buffer, start, elements * size);
  const strides = dense === t ? t.strides : rowMajorStrides(t.shape);
  return {
    argument,
    bytes,
    byteLength: elements * size,
    layout: { dtype: t.dtype, shape: t.shape, strides, offset: 0 },
  };
}
