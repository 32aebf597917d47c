import { makeDisposable } from "../disposable.js";
import { DisposedError, describeValue, InvalidInputError } from "../errors.js";
import { reading, unreadable } from "../options.js";
import { checkDType, type DType } from "./dtype.js";
import type { DeviceTensor, HostTensor } from "./interfaces.js";
import { endOf, frozenShape, frozenStridesOf, readShape, readStrides } from "./layout.js";
import { WellFormed } from "./well-formed.js";

/** A backend's own memory. */
export interface DeviceMemory {
  /**
   * Copies a tensor into the memory. The tensor returned belongs to the caller.
   *
   * @throws InvalidInputError for a tensor that is malformed or of a dtype that the memory cannot hold
   * @throws OutOfMemoryError (rejects)
   */
  upload(tensor: HostTensor): Promise<DeviceTensor>;
  /**
   * A new row-major tensor of zeros, which belongs to the caller.
   *
   * @throws InvalidInputError, OutOfMemoryError
   */
  allocate(dtype: DType, shape: readonly number[]): DeviceTensor;
}

/** How a tensor lies in memory; strides and offset in elements. */
export interface TensorLayout {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

/** A piece of a backend's memory that one or more device tensors are views of. */
export interface DeviceStorage {
  /** Name of the backend that owns the memory. */
  readonly backend: string;
  /** Copies the elements of a layout out, as a row-major tensor. */
  read(layout: TensorLayout): Promise<HostTensor>;
  /** Gives the memory back: called once, when the last tensor on it is disposed. */
  release(): void;
}

/** Number of tensors that keep a storage alive. */
const users = new WeakMap<DeviceStorage, number>();

/**
 * Releases storage whose tensors were all forgotten without `dispose`. Each tensor counts on its
 * own, so that a forgotten view does not free what another one still shows.
 */
const forgotten = new FinalizationRegistry<DeviceStorage>((storage) => {
  warnOnce(storage.backend);
  leave(storage);
});
const warned = new Set<string>();

function warnOnce(backend: string): void {
  if (warned.has(backend)) return;
  warned.add(backend);
  console.warn(
    `heed: a tensor in the memory of backend ${backend} was garbage-collected before dispose() was called; its memory has been freed, but later than necessary`,
  );
}

function leave(storage: DeviceStorage): void {
  const left = (users.get(storage) ?? 0) - 1;
  users.set(storage, left);
  if (left === 0) storage.release();
}

/** A tensor on a backend's storage. Views share the storage, which lives as long as any of them. */
class StoredTensor<S extends DeviceStorage> extends WellFormed implements DeviceTensor {
  readonly backend: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
  readonly #storage: S;
  #disposed = false;

  /** All of it well-formed; the arrays belong to the tensor from here on. */
  constructor(
    storage: S,
    dtype: DType,
    shape: readonly number[],
    strides: readonly number[],
    offset: number,
  ) {
    super(dtype, shape);
    this.backend = storage.backend;
    this.dtype = dtype;
    this.shape = Object.freeze(shape);
    this.strides = Object.freeze(strides);
    this.offset = offset;
    this.#storage = storage;
    users.set(storage, (users.get(storage) ?? 0) + 1);
    forgotten.register(this, storage, this);
  }

  static storage(t: DeviceTensor): DeviceStorage | null {
    return typeof t === "object" && t !== null && #storage in t ? t.#storage : null;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  async read(): Promise<HostTensor> {
    if (this.#disposed) throw new DisposedError("tensor");
    return this.#storage.read(this);
  }

  view(layout: Omit<TensorLayout, "dtype">): DeviceTensor {
    if (this.#disposed) throw new DisposedError("tensor");
    const checked = reading("layout", () => {
      const { shape, strides, offset } = layout;
      const sizes = readShape("layout.shape", shape);
      return {
        shape: sizes,
        strides: readStrides("layout.strides", strides, sizes.length),
        offset,
      };
    });
    const most = endOf(this);
    const { offset } = checked;
    const within = checked.shape.includes(0) || (offset >= this.offset && endOf(checked) <= most);
    if (!Number.isSafeInteger(offset) || offset < 0 || !within) {
      throw new InvalidInputError(
        "layout",
        `one within elements ${this.offset} to ${most - 1}, which this tensor has`,
        describeValue(checked),
      );
    }
    return new StoredTensor(this.#storage, this.dtype, checked.shape, checked.strides, offset);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    forgotten.unregister(this);
    leave(this.#storage);
  }
}

makeDisposable(StoredTensor, ["sync", "async"]);

/**
 * A device tensor over a backend's storage: how every backend makes the tensors it hands out. The
 * storage is released when the tensor and all views of it are disposed or garbage-collected.
 *
 * @param layout dtype and shape; row-major from element 0 unless strides and offset say otherwise
 */
export function deviceTensor(
  storage: DeviceStorage,
  layout: Pick<TensorLayout, "dtype" | "shape"> & Partial<TensorLayout>,
): DeviceTensor {
  try {
    const { dtype, strides, offset = 0 } = layout;
    const shape = frozenShape("layout.shape", layout.shape);
    checkDType("layout.dtype", dtype);
    if (typeof storage?.backend !== "string" || typeof storage.release !== "function") {
      throw new InvalidInputError("storage", "a backend's storage", describeValue(storage));
    }
    const steps =
      strides === undefined
        ? frozenStridesOf(shape)
        : readStrides("layout.strides", strides, shape.length);
    return new StoredTensor(storage, dtype, shape, steps, offset);
  } catch (error) {
    throw unreadable("layout", error);
  }
}

/**
 * The storage under a device tensor, where it is of a backend's own kind.
 *
 * @param kind class of the backend's storage
 * @returns null for tensors that were not made by {@link deviceTensor} over that kind of storage
 */
export function storageOf<S extends DeviceStorage>(
  t: DeviceTensor,
  kind: abstract new (...args: never[]) => S,
): S | null {
  const storage = StoredTensor.storage(t);
  return typeof kind === "function" && storage instanceof kind ? storage : null;
}

/** Whether two device tensors are views of one storage, as far as that can be known. */
export function sharesStorage(a: DeviceTensor, b: DeviceTensor): boolean {
  if (a === b) return true;
  const storage = StoredTensor.storage(a);
  return storage !== null && storage === StoredTensor.storage(b);
}
