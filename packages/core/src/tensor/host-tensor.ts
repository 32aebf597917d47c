import { DisposedError, describeValue, InvalidInputError } from "../errors.js";
import { unreadable } from "../options.js";
import { checkDType, type DataOfDType, type DType, dtypesOf, type TypedArray } from "./dtype.js";
import { Float16ArrayConstructor, polyfilledFloat16Bits } from "./float16.js";
import type { DeviceTensor, HostTensor, Tensor } from "./interfaces.js";
import { endOf, readShape, readStrides, sameShape } from "./layout.js";
import { inThisRealm, isDetached, typedArrayLength, typedArrayName } from "./typed-array.js";
import { WellFormed } from "./well-formed.js";

/**
 * A tensor that core made: its members are known to be well-formed and cannot change, so that checking
 * it again means looking at nothing but the length of its data.
 */
class CheckedTensor<D extends DType> implements HostTensor<D> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
  readonly data: DataOfDType[D];
  /** Elements that `data` must have. */
  readonly #end: number;

  constructor(members: HostTensor<D>, end: number) {
    this.dtype = members.dtype;
    this.shape = Object.freeze(members.shape);
    this.strides = Object.freeze(members.strides);
    this.offset = members.offset;
    this.data = members.data;
    this.#end = end;
    Object.freeze(this);
  }

  static is(value: object): value is CheckedTensor<DType> {
    return #end in value;
  }

  /** Whether no buffer was detached or shrunk since. */
  get intact(): boolean {
    return typedArrayLength(this.data) >= this.#end;
  }
}

/**
 * A tensor of members that may be anything, each read once.
 *
 * @param prefix goes before the members' names in errors
 * @throws InvalidInputError
 */
export function makeHostTensor<D extends DType>(
  prefix: string,
  members: Readonly<Record<keyof HostTensor, unknown>> & { readonly dtype: D },
): HostTensor<D> {
  const { dtype, offset } = members;
  checkDType(`${prefix}dtype`, dtype);
  const shape = readShape(`${prefix}shape`, members.shape);
  const data = readData(`${prefix}data`, members.data, dtype);
  if (!Number.isSafeInteger(offset) || (offset as number) < 0) {
    throw new InvalidInputError(`${prefix}offset`, "an integer ≥ 0", describeValue(offset));
  }
  const strides = readStrides(`${prefix}strides`, members.strides, shape.length);
  const checked = { dtype, shape, strides, offset: offset as number, data };
  const end = endOf(checked);
  const length = typedArrayLength(data);
  if (end > length) {
    if (isDetached(data)) {
      throw new InvalidInputError(`${prefix}data`, "a buffer", "a detached buffer");
    }
    throw new InvalidInputError(
      `${prefix}strides`,
      `shape, strides and offset within the ${length} elements of data`,
      `shape [${shape.join(", ")}], strides [${strides.join(", ")}] and offset ${offset}, which reach element ${end - 1}`,
    );
  }
  return new CheckedTensor(checked, end);
}

function readData<D extends DType>(argument: string, data: unknown, dtype: D): DataOfDType[D] {
  const array = polyfilledFloat16Bits(data) ?? data;
  if (!dtypesOf(array).includes(dtype)) {
    throw new InvalidInputError(argument, `elements of ${dtype}`, describeValue(data));
  }
  return ofThisRealm(array as TypedArray) as DataOfDType[D];
}

/** This realm's classes of the arrays that tensors have, by name. */
const classes: Readonly<Record<string, Parameters<typeof inThisRealm<TypedArray>>[1] | undefined>> =
  {
    Float64Array,
    Float32Array,
    Int32Array,
    Int8Array,
    Uint8Array,
    Uint16Array,
    Float16Array: Float16ArrayConstructor,
  };

function ofThisRealm(array: TypedArray): TypedArray {
  const kind = classes[typedArrayName(array) as string];
  return kind ? inThisRealm(array, kind) : array;
}

/** A tensor with another layout over the same data, whose members are known to be well-formed. */
export function relayout<D extends DType>(
  t: HostTensor<D>,
  shape: readonly number[],
  strides: readonly number[],
  offset: number = t.offset,
): HostTensor<D> {
  const members = {
    dtype: t.dtype,
    shape: [...shape],
    strides: [...strides],
    offset,
    data: t.data,
  };
  return new CheckedTensor(members, endOf(members));
}

/**
 * A value that came from outside as a tensor whose members are well-formed and cannot change: the
 * tensor itself if core made it or it is in a backend's memory, and a copy of its members (not of its
 * data) otherwise. Buffers that were detached or shrunk since are found.
 *
 * @param argument the name to use in errors
 * @throws InvalidInputError, DisposedError
 */
export function readTensor(argument: string, value: unknown): Tensor {
  if (typeof argument !== "string") {
    throw new InvalidInputError("argument", "a name", describeValue(argument));
  }
  if (typeof value !== "object" || value === null) throw notATensor(argument, value);
  if (CheckedTensor.is(value) && value.intact) return value;
  try {
    if (claimsDevice(value)) {
      if (value.disposed === true) throw new DisposedError(argument);
      if (WellFormed.is(value)) return value;
      readShape(`${argument}.shape`, value.shape);
      checkDType(`${argument}.dtype`, value.dtype);
      return value;
    }
    const { data, dtype, shape, strides, offset } = value as HostTensor;
    if (data === undefined || shape === undefined) throw notATensor(argument, value);
    return makeHostTensor(`${argument}.`, { dtype, shape, strides, offset, data });
  } catch (error) {
    throw unreadable(argument, error);
  }
}

/**
 * As {@link readTensor}, for a tensor that was described before: a caller's object may answer something
 * else each time that it is read, and what a problem says must be true.
 *
 * @throws InvalidInputError unless shape and dtype are as they were
 */
export function takeSame<T extends Tensor>(
  argument: string,
  given: T | undefined,
  shape: readonly number[],
  dtype: string,
): T {
  const t = readTensor(argument, given);
  if (t.dtype === dtype && sameShape(t.shape, shape)) return t as T;
  throw new InvalidInputError(
    argument,
    `${dtype} of shape [${shape.join(", ")}], as the problem says`,
    `${t.dtype} of shape [${t.shape.join(", ")}]`,
  );
}

/**
 * Checks a tensor that came from outside, whichever way it was made.
 *
 * @param argument the name to use in errors
 * @throws InvalidInputError, DisposedError
 */
export function checkTensor(argument: string, value: unknown): asserts value is Tensor {
  readTensor(argument, value);
}

/**
 * As {@link readTensor}, for functions that compute on host memory.
 *
 * @throws InvalidInputError also for a device tensor
 */
export function readHostTensor<D extends DType = DType>(
  argument: string,
  value: HostTensor<D>,
): HostTensor<D>;
export function readHostTensor(argument: string, value: unknown): HostTensor;
export function readHostTensor(argument: string, value: unknown): HostTensor {
  const t = readTensor(argument, value);
  if (isDeviceTensor(t)) {
    throw new InvalidInputError(
      argument,
      "a host tensor",
      `a tensor of backend ${describeValue(t.backend)}; read() it first`,
    );
  }
  return t;
}

/** Whether a tensor that was checked before is known to have all of its elements still. */
export function isIntact(t: Tensor): boolean {
  return CheckedTensor.is(t) && t.intact;
}

/** Whether a value is a tensor in a backend's memory, or claims to be one. Never throws. */
export function isDeviceTensor(value: unknown): value is DeviceTensor {
  if (typeof value !== "object" || value === null || CheckedTensor.is(value)) return false;
  try {
    return claimsDevice(value);
  } catch {
    return false;
  }
}

function claimsDevice(value: object): value is DeviceTensor {
  const { backend, read } = value as Partial<DeviceTensor>;
  return typeof backend === "string" && typeof read === "function";
}

/** Whether a value is a host tensor, or claims to be one. Never throws. */
export function isHostTensor(value: unknown): value is HostTensor {
  if (typeof value !== "object" || value === null) return false;
  if (CheckedTensor.is(value)) return true;
  try {
    return "data" in value && !claimsDevice(value);
  } catch {
    return false;
  }
}

function notATensor(argument: string, value: unknown): InvalidInputError {
  return new InvalidInputError(argument, "a tensor", describeValue(value));
}
