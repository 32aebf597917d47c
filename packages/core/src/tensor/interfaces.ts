/// <reference lib="esnext.disposable" preserve="true" />
import type { DataOfDType, DType } from "./dtype.js";

/**
 * A tensor in JavaScript memory: a view of a typed array. A layout is a choice of strides, never a
 * flag: element `[i, j, …]` is `data[offset + i·strides[0] + j·strides[1] + …]`.
 */
export interface HostTensor<D extends DType = DType> {
  readonly dtype: D;
  /** Sizes; the canonical attention shape is `[batch, heads, length, headDim]`. */
  readonly shape: readonly number[];
  /** Distance between neighbours along each axis, in elements; never negative; 0 repeats. */
  readonly strides: readonly number[];
  /** Index of element `[0, 0, …]` in `data`, in elements. */
  readonly offset: number;
  readonly data: DataOfDType[D];
}

/**
 * A tensor in a backend's own memory (wasm memory, a GPUBuffer). It belongs to whoever asked for
 * it, by `upload` or as an output, and holds its memory until `dispose`.
 */
export interface DeviceTensor<D extends DType = DType> {
  /** The name of the backend that owns the memory. */
  readonly backend: string;
  readonly dtype: D;
  readonly shape: readonly number[];
  /** Distance between neighbours along each axis, in elements; never negative; 0 repeats. */
  readonly strides?: readonly number[];
  /** Offset of element `[0, 0, …]`, in elements from the start of the memory that the tensor shares. */
  readonly offset?: number;
  /** Whether `dispose` has been called. */
  readonly disposed?: boolean;
  /**
   * Another tensor on the same memory, which it keeps alive. It has to be disposed, too.
   *
   * @param layout within the elements of this tensor
   * @throws InvalidInputError for one that is not, DisposedError after `dispose`
   */
  view?(layout: {
    readonly shape: readonly number[];
    readonly strides: readonly number[];
    readonly offset: number;
  }): DeviceTensor<D>;
  /** Copies the elements out. @throws DisposedError after `dispose` */
  read(): Promise<HostTensor<D>>;
  /** Gives the memory back. Calling it twice is harmless. */
  dispose(): void;
  /** Calls {@link dispose}, at the end of the scope of a `using`. Tensors of core have it. */
  readonly [Symbol.dispose]?: () => void;
}

export type Tensor<D extends DType = DType> = HostTensor<D> | DeviceTensor<D>;
