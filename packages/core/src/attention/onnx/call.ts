import { describeValue, InvalidInputError, isHeedError } from "../../errors.js";
import { isList, reading, readOptions } from "../../options.js";
import { readHostTensor } from "../../tensor/host-tensor.js";
import type { HostTensor } from "../../tensor/tensor.js";
import { typedArrayLength, typedArrayName } from "../../tensor/typed-array.js";
import { toFloat64 } from "../../tensor/values.js";

/** The operator's inputs, each read once. @throws InvalidInputError */
export function readInputs<O extends object>(
  inputs: unknown,
  names: ReadonlySet<keyof O & string>,
): Partial<O> {
  if (typeof inputs !== "object" || inputs === null) {
    throw new InvalidInputError("inputs", "an object", describeValue(inputs));
  }
  return readOptions("inputs", inputs as O, names);
}

/**
 * The outputs that are asked for; default all of them.
 *
 * @throws InvalidInputError
 */
export function readWanted<Name extends string>(
  outputs: readonly Name[] | undefined,
  names: readonly Name[],
): ReadonlySet<Name> {
  if (outputs === undefined) return new Set(names);
  const wanted = new Set<Name>();
  reading("outputs", () => {
    if (!isList(outputs)) {
      throw new InvalidInputError("outputs", "an array of names", describeValue(outputs));
    }
    for (let i = 0; i < outputs.length; i++) {
      const name = outputs[i] as Name;
      if (!names.includes(name)) {
        throw new InvalidInputError("outputs", names.join(", "), describeValue(name));
      }
      wanted.add(name);
    }
  });
  return wanted;
}

/**
 * Runs a call of attention whose caller wrote an operator's names: errors speak of those.
 *
 * @param names of the operator's inputs and attributes, by attention's own
 */
export async function withNames<R>(
  names: Readonly<Record<string, string>>,
  run: () => Promise<R>,
): Promise<R> {
  try {
    return await run();
  } catch (error) {
    if (isHeedError(error, "invalid-input")) {
      const name = Object.hasOwn(names, error.argument) && names[error.argument];
      if (name) throw new InvalidInputError(name, error.expected, error.actual, { cause: error });
    }
    throw error;
  }
}

/** Integers as ONNX's int32 and int64 tensors hold them. */
export type OnnxIntegers = HostTensor | Int32Array | BigInt64Array | readonly number[];

/**
 * 32-bit integers from a tensor, a typed array, an array or a single number.
 *
 * @param count how many there must be
 * @param shape that a tensor of them must have, in words
 * @throws InvalidInputError
 */
export function readIntegers(
  argument: string,
  value: unknown,
  count: number,
  shape: string,
): Int32Array {
  return reading(argument, () => {
    const list = typeof value === "number" ? [value] : listOf(argument, value);
    const length = isList(list) ? list.length : typedArrayLength(list as object);
    if (length !== count) {
      throw new InvalidInputError(
        argument,
        `${count} integers of shape ${shape}`,
        `${describeValue(length)} of them`,
      );
    }
    const integers = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      const item = list[i];
      const integer = typeof item === "bigint" ? Number(item) : item;
      if (typeof integer !== "number" || integer !== (integer | 0)) {
        throw new InvalidInputError(argument, "32-bit integers", describeValue(item));
      }
      integers[i] = integer;
    }
    return integers;
  });
}

function listOf(argument: string, value: unknown): ArrayLike<unknown> {
  const kind = typedArrayName(value);
  if (kind === "Int32Array" || kind === "BigInt64Array" || isList(value)) {
    return value as ArrayLike<unknown>;
  }
  const t = readHostTensor(argument, value);
  if (t.dtype !== "int32") throw new InvalidInputError(argument, "dtype int32", t.dtype);
  return toFloat64(t);
}
