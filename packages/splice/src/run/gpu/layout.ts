import { type DeviceTensor, type DType, rowMajorStrides, type TensorLayout } from "@heed/core";

type View = Omit<TensorLayout, "dtype">;

/**
 * How a tensor lies in a buffer on the GPU, of which views are made without tensors that would have to be disposed:
 * the call makes one, of the last view.
 */
export class BufferLayout implements DeviceTensor, TensorLayout {
  readonly backend: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
  readonly buffer: object;

  constructor(backend: string, buffer: object, dtype: DType, { shape, strides, offset }: View) {
    this.backend = backend;
    this.buffer = buffer;
    this.dtype = dtype;
    this.shape = shape;
    this.strides = strides;
    this.offset = offset;
  }

  /** All of a buffer from its start on, row-major. */
  static whole(
    backend: string,
    buffer: object,
    dtype: DType,
    shape: readonly number[],
  ): BufferLayout {
    const layout = { shape, strides: rowMajorStrides(shape), offset: 0 };
    return new BufferLayout(backend, buffer, dtype, layout);
  }

  view(layout: View): BufferLayout {
    return new BufferLayout(this.backend, this.buffer, this.dtype, layout);
  }

  read(): never {
    throw new Error("a layout has no elements");
  }

  dispose(): void {}
}
