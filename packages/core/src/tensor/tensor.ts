import { DisposedError, describeValue, InvalidInputError } from "../errors.js";
import { allocate, type DType, dtypes, dtypesOf, isDType, type TypedArray } from "./dtype.js";
import { isFloat16Array, numberToFloat16Bits } from "./float16.js";

/**
 * A tensor in JavaScript memory: a view of a typed array. A layout is a choice of strides, never a
 * flag: element `[i, j, …]` is `data[offset + i·strides[0] + j·strides[1] + …]`.
 */
export interface HostTensor {
  readonly dtype: DType;
  /** Sizes; the canonical attention shape is `[batch, heads, length, headDim]`. */
  readonly shape: readonly number[];
  /** Distance between neighbours along each axis, in elements; never negative; 0 repeats. */
  readonly strides: readonly number[];
  /** Where element `[0, 0, …]` is, in elements. */
  readonly offset: number;
  readonly data: TypedArray;
}

/**
 * A tensor in a backend's own memory (wasm memory, a GPUBuffer). It belongs to whoever asked for
 * it, by `upload` or as an output, and holds its memory until `dispose`.
 */
export interface DeviceTensor {
  /** The name of the backend that owns the memory. */
  readonly backend: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Distance between neighbours along each axis, in elements; never negative; 0 repeats. */
  readonly strides?: readonly number[];
  /** Where element `[0, 0, …]` is, in elements from the start of the memory that it shares. */
  readonly offset?: number;
  /** Whether `dispose` has been called. */
  readonly disposed?: boolean;
  /**
   * Another tensor on the same memory, which it keeps alive. It has to be disposed, too.
   *
   * @param layout within the elements of this tensor
   * @throws DisposedError after `dispose`
   */
  view?(layout: {
    readonly shape: readonly number[];
    readonly strides: readonly number[];
    readonly offset: number;
  }): DeviceTensor;
  /** Copies the elements out. @throws DisposedError after `dispose` */
  read(): Promise<HostTensor>;
  /** Gives the memory back. Calling it twice is harmless. */
  dispose(): void;
}

export type Tensor = HostTensor | DeviceTensor;

/** The largest number of elements: what a signed 32-bit index reaches in every backend. */
export const maxElements: number = 2 ** 31 - 1;

/**
 * A host tensor that Heed made: frozen together with its shape and strides, so that a later check has
 * only to look whether its data is still there.
 */
export class MadeTensor implements HostTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
  readonly data: TypedArray;
  /** Elements of `data` that the tensor needs. */
  readonly #extent: number;

  /** The layout must be valid, or {@link checkTensor} must be called next. */
  constructor(
    dtype: DType,
    shape: readonly number[],
    strides: readonly number[],
    offset: number,
    data: TypedArray,
  ) {
    this.dtype = dtype;
    this.shape = Object.freeze([...shape]);
    this.strides = Object.freeze([...strides]);
    this.offset = offset;
    this.data = data;
    this.#extent = extentOf(this);
    Object.freeze(this);
  }

  /** Whether a value is such a tensor and all of its elements exist. */
  static isIntact(value: object): boolean {
    return #extent in value && value.#extent <= (value as MadeTensor).data.length;
  }
}

/** Elements that data must have so that a layout's every element exists. */
function extentOf(t: HostTensor): number {
  let last = t.offset;
  for (let axis = 0; axis < t.shape.length; axis++) {
    const size = t.shape[axis] as number;
    if (size === 0) return 0;
    last += (t.strides[axis] as number) * (size - 1);
  }
  return last + 1;
}

export interface TensorOptions {
  /** Default: what the array says; float32 for number arrays; needed for `Uint16Array` bits. */
  readonly dtype?: DType;
  /** In elements. Default: row-major, without gaps. */
  readonly strides?: readonly number[];
  /** In elements. Default 0. */
  readonly offset?: number;
}

/**
 * A tensor over existing data, without a copy; number and boolean arrays are copied into a new
 * typed array.
 *
 * @param data elements; without `strides` and `offset` there must be exactly as many as the shape
 *   says, otherwise every element that they reach must exist
 * @param shape sizes, each an integer ≥ 0
 * @throws InvalidInputError naming `data`, `shape`, `dtype`, `strides` or `offset`
 */
export function tensor(
  data: TypedArray | readonly number[] | readonly boolean[],
  shape: readonly number[],
  options: TensorOptions = {},
): HostTensor {
  const dtype = chooseDType(data, options.dtype);
  const array = Array.isArray(data)
    ? fromList(data as readonly (number | boolean)[], dtype)
    : (data as TypedArray);
  checkShape("shape", shape);
  const { offset = 0, strides } = options;
  const result = new MadeTensor(dtype, shape, strides ?? rowMajorStrides(shape), offset, array);
  if (strides === undefined && options.offset === undefined) {
    const expected = elementCount(shape);
    if (array.length !== expected) {
      throw new InvalidInputError(
        "data",
        `${expected} elements for shape [${shape.join(", ")}]`,
        detached(array) ? "a detached buffer" : `${array.length}`,
      );
    }
  }
  checkLayout("", result);
  return result;
}

function chooseDType(data: unknown, asked: DType | undefined): DType {
  if (asked !== undefined && !isDType(asked)) {
    throw new InvalidInputError("dtype", `one of ${dtypes.join(", ")}`, describeValue(asked));
  }
  if (Array.isArray(data)) return asked ?? (typeof data[0] === "boolean" ? "bool" : "float32");
  const possible = dtypesOf(data);
  if (possible.length === 0) {
    throw new InvalidInputError(
      "data",
      "a Float64Array, Float32Array, Float16Array, Uint16Array (float16 bits), Int32Array, Uint8Array, or an array of numbers or booleans",
      describeValue(data),
    );
  }
  if (asked === undefined) {
    if (data instanceof Uint16Array) {
      throw new InvalidInputError(
        "dtype",
        '"float16" said explicitly for a Uint16Array of bits',
        "undefined",
      );
    }
    return possible[0] as DType;
  }
  if (!possible.includes(asked)) {
    throw new InvalidInputError(
      "dtype",
      `${possible.map((d) => JSON.stringify(d)).join(" or ")} for ${describeValue(data)}`,
      JSON.stringify(asked),
    );
  }
  return asked;
}

function fromList(list: readonly (number | boolean)[], dtype: DType): TypedArray {
  const array = allocate(dtype, list.length);
  const bits = dtype === "float16" && !isFloat16Array(array);
  for (let i = 0; i < list.length; i++) {
    const value = list[i];
    if (typeof value !== "number" && typeof value !== "boolean") {
      throw new InvalidInputError(`data[${i}]`, "a number or a boolean", describeValue(value));
    }
    if (bits) array[i] = numberToFloat16Bits(Number(value));
    else if (dtype === "bool") array[i] = value ? 1 : 0;
    else array[i] = Number(value);
  }
  return array;
}

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((count, size) => count * size, 1);
}

/** Strides of a row-major tensor without gaps. */
export function rowMajorStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis] as number;
  }
  return strides;
}

/** Whether the elements stand in row-major order without gaps (from any offset). */
export function isContiguous(t: HostTensor): boolean {
  let stride = 1;
  for (let axis = t.shape.length - 1; axis >= 0; axis--) {
    const size = t.shape[axis] as number;
    if (size === 0) return true;
    if (size !== 1 && t.strides[axis] !== stride) return false;
    stride *= size;
  }
  return true;
}

/** A fresh row-major tensor of zeros. */
export function zeros(dtype: DType, shape: readonly number[]): HostTensor {
  return tensor(allocate(dtype, elementCount(shape)), shape, { dtype });
}

export function isDeviceTensor(value: unknown): value is DeviceTensor {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof (value as DeviceTensor).backend === "string" &&
    typeof (value as DeviceTensor).read === "function"
  );
}

export function isHostTensor(value: unknown): value is HostTensor {
  return typeof value === "object" && value !== null && "data" in value && !isDeviceTensor(value);
}

/**
 * Checks a tensor that came from outside, whichever way it was made: also one whose buffer was
 * detached or shrunk since.
 *
 * @param argument the name to use in errors
 * @throws InvalidInputError, DisposedError
 */
export function checkTensor(argument: string, value: unknown): asserts value is Tensor {
  if (typeof value === "object" && value !== null && MadeTensor.isIntact(value)) return;
  if (isDeviceTensor(value)) {
    if (value.disposed === true) throw new DisposedError(argument);
    checkShape(`${argument}.shape`, value.shape);
    checkDType(argument, value.dtype);
    return;
  }
  if (!isHostTensor(value) || !Array.isArray(value.shape)) {
    throw new InvalidInputError(argument, "a tensor", describeValue(value));
  }
  checkShape(`${argument}.shape`, value.shape);
  checkDType(argument, value.dtype);
  if (!dtypesOf(value.data).includes(value.dtype)) {
    throw new InvalidInputError(
      `${argument}.data`,
      `elements of ${value.dtype}`,
      describeValue(value.data),
    );
  }
  checkLayout(`${argument}.`, value);
}

function checkDType(argument: string, dtype: unknown): void {
  if (!isDType(dtype)) {
    throw new InvalidInputError(
      `${argument}.dtype`,
      `one of ${dtypes.join(", ")}`,
      describeValue(dtype),
    );
  }
}

export function checkShape(argument: string, shape: unknown): asserts shape is readonly number[] {
  if (!Array.isArray(shape)) {
    throw new InvalidInputError(argument, "an array of sizes", describeValue(shape));
  }
  // Every size counts, also beside a zero: an axis that no index type reaches helps nobody.
  for (const size of shape) {
    if (!Number.isInteger(size) || size < 0 || size > maxElements) {
      throw new InvalidInputError(argument, `integers from 0 to 2^31 − 1`, describeValue(shape));
    }
  }
  if (elementCount(shape) > maxElements) {
    throw new InvalidInputError(
      argument,
      "at most 2^31 − 1 elements in all",
      `[${shape.join(", ")}], ${elementCount(shape)} elements`,
    );
  }
}

function checkLayout(prefix: string, t: HostTensor): void {
  if (!Number.isSafeInteger(t.offset) || t.offset < 0) {
    throw new InvalidInputError(`${prefix}offset`, "an integer ≥ 0", describeValue(t.offset));
  }
  if (!Array.isArray(t.strides) || t.strides.length !== t.shape.length) {
    throw new InvalidInputError(
      `${prefix}strides`,
      `one stride for each of ${t.shape.length} axes`,
      describeValue(t.strides),
    );
  }
  let last = t.offset;
  for (let axis = 0; axis < t.shape.length; axis++) {
    const stride = t.strides[axis] as number;
    if (!Number.isSafeInteger(stride) || stride < 0) {
      throw new InvalidInputError(
        `${prefix}strides`,
        "integers ≥ 0, in elements",
        describeValue(t.strides),
      );
    }
    last += stride * Math.max(0, (t.shape[axis] as number) - 1);
  }
  if (elementCount(t.shape) === 0) return;
  if (last >= t.data.length) {
    if (detached(t.data)) {
      throw new InvalidInputError(`${prefix}data`, "a buffer", "a detached buffer");
    }
    throw new InvalidInputError(
      `${prefix}strides`,
      `shape, strides and offset within the ${t.data.length} elements of data`,
      `shape [${t.shape.join(", ")}], strides [${t.strides.join(", ")}] and offset ${t.offset}, which reach element ${last}`,
    );
  }
}

/** Whether an array's buffer was transferred away. `ArrayBuffer.detached` came with Node 22. */
function detached(data: TypedArray): boolean {
  if (data.byteLength > 0) return false;
  try {
    new Uint8Array(data.buffer);
    return false;
  } catch {
    return true;
  }
}
