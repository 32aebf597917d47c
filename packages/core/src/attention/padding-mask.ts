import { describeValue, InvalidInputError } from "../errors.js";
import { isList, reading } from "../options.js";
import { isHostTensor, readHostTensor } from "../tensor/host-tensor.js";
import { elementCount, readShape } from "../tensor/layout.js";
import { type HostTensor, tensor } from "../tensor/tensor.js";
import { typedArrayLength, typedArrayName } from "../tensor/typed-array.js";
import { toFloat64 } from "../tensor/values.js";

/** A row of a padding mask as plain values: 1 or true where a key may be attended to. */
type PaddingRow = readonly (number | boolean | bigint)[];

/** Integers as tokenizers give them. */
type Integers = Int32Array | Uint8Array | BigInt64Array | readonly (number | bigint)[];

/**
 * The `mask` of a batch of sequences that were padded to one length: bool `[batch, 1, 1, keyLength]`,
 * which broadcasts over heads and queries. Given as it is, `[batch, keyLength]` would mean
 * `[queryLength, keyLength]`: a mask of rank 2 has no batch axis.
 *
 * @param attend `[batch, keyLength]`: 1 or true where a key may be attended to, 0 or false where it is
 *   padding (a tokenizer's "attention mask"; PyTorch's `key_padding_mask` is the other way round)
 * @throws InvalidInputError
 */
export function paddingMask(attend: HostTensor | readonly PaddingRow[]): HostTensor<"bool">;
/**
 * @param attend elements in row-major order, such as the data of a tokenizer's int64 tensor
 * @param shape `[batch, keyLength]`
 * @throws InvalidInputError
 */
export function paddingMask(
  attend: Integers | readonly boolean[],
  shape: readonly [number, number],
): HostTensor<"bool">;
/**
 * @param lengths `[batch]`: how many keys each sequence has before its padding
 * @param keyLength at least the longest of them
 * @throws InvalidInputError
 */
export function paddingMask(lengths: Integers, keyLength: number): HostTensor<"bool">;
export function paddingMask(
  source: HostTensor | readonly PaddingRow[] | Integers | readonly boolean[],
  size?: number | readonly [number, number],
): HostTensor<"bool"> {
  if (typeof size === "number") return maskOfLengths(readList("lengths", source), size);
  const { values, batch, keyLength } =
    size !== undefined
      ? flat(source, size)
      : isHostTensor(source)
        ? ofTensor(source)
        : ofRows(source);
  const visible = Uint8Array.from(values, (value, at) => {
    // Numbers, bigints and booleans; true is 1.
    const number = Number(value);
    if (number === 0 || number === 1) return number;
    throw new InvalidInputError(
      `attend[${Math.floor(at / keyLength)}][${at % keyLength}]`,
      "1 or true for a key that may be attended to, 0 or false for padding",
      describeValue(value),
    );
  });
  return tensor(visible, [batch, 1, 1, keyLength], { dtype: "bool" });
}

interface Padding {
  /** `batch · keyLength` values, not yet checked to be 0, 1 or booleans. */
  readonly values: ArrayLike<unknown>;
  readonly batch: number;
  readonly keyLength: number;
}

function maskOfLengths(lengths: readonly unknown[], keyLength: number): HostTensor<"bool"> {
  const shape = readShape("keyLength", [lengths.length, 1, 1, keyLength]);
  const visible = new Uint8Array(elementCount(shape));
  for (const [b, value] of lengths.entries()) {
    const length = toInteger(value);
    if (length === null || length < 0 || length > keyLength) {
      throw new InvalidInputError(
        `lengths[${b}]`,
        `an integer from 0 to keyLength ${keyLength}`,
        describeValue(value),
      );
    }
    visible.fill(1, b * keyLength, b * keyLength + length);
  }
  return tensor(visible, shape, { dtype: "bool" });
}

function toInteger(value: unknown): number | null {
  const number = typeof value === "bigint" ? Number(value) : value;
  return Number.isInteger(number) ? (number as number) : null;
}

function flat(source: unknown, size: unknown): Padding {
  const shape = readShape("shape", size);
  const [batch, keyLength] = shape;
  if (shape.length !== 2 || batch === undefined || keyLength === undefined) {
    throw new InvalidInputError("shape", "[batch, keyLength]", describeValue(size));
  }
  const values = readList("attend", source);
  if (values.length !== batch * keyLength) {
    throw new InvalidInputError(
      "attend",
      `${batch * keyLength} elements for shape [${batch}, ${keyLength}]`,
      `${values.length}`,
    );
  }
  return { values: plainValues("attend", values), batch, keyLength };
}

function ofTensor(source: HostTensor): Padding {
  const t = readHostTensor("attend", source);
  const [batch, keyLength] = t.shape;
  if (t.shape.length !== 2 || batch === undefined || keyLength === undefined) {
    throw new InvalidInputError("attend", "shape [batch, keyLength]", `[${t.shape.join(", ")}]`);
  }
  const values = toFloat64(t);
  // A bool is true unless it is 0.
  return { values: t.dtype === "bool" ? Array.from(values, Boolean) : values, batch, keyLength };
}

function ofRows(source: unknown): Padding {
  const rows = readList("attend", source).map((row, b) => {
    const values = readList(`attend[${b}]`, row);
    return plainValues(`attend[${b}]`, values);
  });
  const keyLength = rows[0]?.length ?? 0;
  for (const [b, row] of rows.entries()) {
    if (row.length !== keyLength) {
      throw new InvalidInputError(`attend[${b}]`, `${keyLength} values`, `${row.length} of them`);
    }
  }
  return { values: rows.flat(), batch: rows.length, keyLength };
}

/** Numbers, booleans and bigints only: anything else could throw when it is converted. */
function plainValues(argument: string, values: readonly unknown[]): readonly unknown[] {
  for (const [i, value] of values.entries()) {
    if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") {
      continue;
    }
    throw new InvalidInputError(`${argument}[${i}]`, "0, 1, true or false", describeValue(value));
  }
  return values;
}

/** The most elements of a list that is read: beyond that it is no mask but a mistake. */
const mostElements = 2 ** 31 - 1;

/** A copy of an array or typed array. */
function readList(argument: string, source: unknown): readonly unknown[] {
  const wrong = () =>
    new InvalidInputError(argument, "an array or a typed array", describeValue(source));
  if (typedArrayName(source) === undefined && !isList(source)) throw wrong();
  return reading(argument, () => {
    const list = source as ArrayLike<unknown>;
    const length = isList(source) ? list.length : typedArrayLength(source as object);
    if (length > mostElements) throw wrong();
    const copy: unknown[] = [];
    for (let i = 0; i < length; i++) {
      const value = list[i];
      // A hole: the array was made for its length alone.
      if (value === undefined) throw wrong();
      copy.push(value);
    }
    return copy;
  });
}
