import {
  allocate,
  bytesPerElement,
  cast,
  contiguous,
  type DeviceTensor,
  DisposedError,
  type DType,
  elementCount,
  type HostTensor,
  InvalidInputError,
  type TypedArray,
  tensor,
} from "@heed/core";
import { zeroOrOne } from "../runtime/booleans.js";
import {
  type GpuBuffer,
  type GpuDevice,
  readBytes,
  tensorBuffer,
  usage,
  writeBytes,
} from "./gpu.js";

/** A row-major tensor in a GPUBuffer of the device that onnxruntime-web uses. */
export class OnnxTensor implements DeviceTensor {
  readonly backend = "onnx";
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** The elements' type in the buffer: float32 for float16 where the device has no float16. */
  readonly stored: DType;
  readonly buffer: GpuBuffer;
  readonly #owned: boolean;
  #device: GpuDevice | null;
  #disposed = false;

  constructor(
    { dtype, stored = dtype, shape }: TensorForm,
    buffer: GpuBuffer,
    device: GpuDevice | null,
    owned: boolean,
  ) {
    this.dtype = dtype;
    this.stored = stored;
    this.shape = Object.freeze([...shape]);
    this.buffer = buffer;
    this.#device = device;
    this.#owned = owned;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** A wrapped buffer does not say whose it is: the backend that first works with it does. */
  adopt(device: GpuDevice): void {
    this.#device ??= device;
  }

  async read(): Promise<HostTensor> {
    if (this.#disposed) throw new DisposedError("tensor");
    const { stored, shape, dtype } = this;
    const count = elementCount(shape);
    if (count === 0) return tensor(allocate(dtype, 0), shape, { dtype });
    if (this.#device === null) {
      throw new InvalidInputError(
        "tensor",
        "a buffer whose device is known: one that a run has used",
        "a wrapped buffer that no run has used",
      );
    }
    const bytes = await readBytes(this.#device, this.buffer, count * bytesPerElement(stored));
    return cast(tensor(viewAs(bytes, stored, count), shape, { dtype: stored }), dtype);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    if (this.#owned) this.buffer.destroy();
  }
}

export interface TensorForm {
  readonly dtype: DType;
  /** Default: as `dtype`. */
  readonly stored?: DType;
  readonly shape: readonly number[];
}

function viewAs(bytes: ArrayBuffer, dtype: DType, count: number): TypedArray {
  const Constructor = allocate(dtype, 0).constructor as new (
    buffer: ArrayBuffer,
    offset: number,
    length: number,
  ) => TypedArray;
  return new Constructor(bytes, 0, count);
}

/** A new tensor with room for its elements. */
export function emptyTensor(device: GpuDevice, form: TensorForm): OnnxTensor {
  const bytes = elementCount(form.shape) * bytesPerElement(form.stored ?? form.dtype);
  return new OnnxTensor(form, tensorBuffer(device, bytes), device, true);
}

/**
 * Copies a tensor to the device.
 *
 * @param stored the elements' type there
 */
export function uploadTensor(device: GpuDevice, t: HostTensor, stored: DType): OnnxTensor {
  const dense = contiguous(cast(t, stored));
  const { data, offset, shape } = stored === "bool" ? zeroOrOne(dense) : dense;
  const uploaded = emptyTensor(device, { dtype: t.dtype, stored, shape });
  const count = elementCount(shape);
  const own = data.subarray(offset, offset + count) as ArrayBufferView;
  if (count > 0) {
    writeBytes(device, uploaded.buffer, new Uint8Array(own.buffer, own.byteOffset, own.byteLength));
  }
  return uploaded;
}

export interface OnnxTensorOptions {
  /** float32, float16 (on devices that have it), or bool (1 byte an element) for masks. */
  readonly dtype: DType;
}

/**
 * A GPUBuffer that belongs to somebody else as a tensor, without a copy: row-major, from the buffer's
 * start. It stays theirs: `dispose` only forgets it. It must be of the device that onnxruntime-web
 * uses: give both the same one, with `onnx({ device })`.
 *
 * @param buffer a GPUBuffer with usage STORAGE, and COPY_SRC if the tensor is to be read
 * @throws InvalidInputError naming `buffer`, `dtype` or `shape`
 */
export function onnxTensor(
  buffer: object,
  shape: readonly number[],
  { dtype }: OnnxTensorOptions,
): DeviceTensor & { readonly buffer: object } {
  const { size, usage: uses } = buffer as GpuBuffer;
  if (typeof size !== "number" || typeof uses !== "number") {
    throw new InvalidInputError("buffer", "a GPUBuffer", typeof buffer);
  }
  if ((uses & usage.storage) === 0) {
    throw new InvalidInputError("buffer", "usage STORAGE", `usage ${uses}`);
  }
  if (dtype !== "float32" && dtype !== "float16" && dtype !== "bool") {
    throw new InvalidInputError("dtype", "float32, float16 or bool", String(dtype));
  }
  const bytes = elementCount(shape) * bytesPerElement(dtype);
  if (!(bytes <= size)) {
    throw new InvalidInputError("shape", `at most the buffer's ${size} bytes`, `${bytes} bytes`);
  }
  return new OnnxTensor({ dtype, shape }, buffer as GpuBuffer, null, false);
}
