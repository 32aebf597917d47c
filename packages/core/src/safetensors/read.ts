import { describeThrown, describeValue, InvalidInputError } from "../errors.js";
import { isList } from "../options.js";
import type { DType, TypedArray } from "../tensor/dtype.js";
import { type HostTensor, tensor } from "../tensor/tensor.js";

/** The contents of a safetensors file. */
export interface SafeTensors {
  readonly tensors: Readonly<Record<string, HostTensor>>;
  readonly metadata: Readonly<Record<string, string>>;
}

const dtypes: Readonly<Record<string, DType>> = {
  F64: "float64",
  F32: "float32",
  F16: "float16",
  I32: "int32",
  I64: "int32",
  I8: "int8",
  U8: "uint8",
  BOOL: "bool",
};

/**
 * Reads the safetensors format (https://huggingface.co/docs/safetensors): the header's length as a
 * little-endian 64-bit integer, a JSON header, and the tensors' bytes. int64 tensors become int32, and
 * all are copies.
 *
 * @param bytes the whole file
 * @throws InvalidInputError naming what is wrong with it
 */
export function readSafeTensors(bytes: Uint8Array): SafeTensors {
  if (!(bytes instanceof Uint8Array) || bytes.byteLength < 8) {
    throw new InvalidInputError("bytes", "a safetensors file", describeValue(bytes));
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = Number(view.getBigUint64(0, true));
  const dataStart = 8 + headerBytes;
  if (dataStart > bytes.byteLength) {
    const actual = `a file of ${bytes.byteLength}`;
    throw new InvalidInputError("bytes", `a header of ${headerBytes} bytes`, actual);
  }
  const { __metadata__: metadata = {}, ...entries } = readHeader(bytes.subarray(8, dataStart));
  const tensors: Record<string, HostTensor> = {};
  for (const [name, entry] of Object.entries(entries)) {
    tensors[name] = readTensor(name, entry, bytes.subarray(dataStart));
  }
  return { tensors, metadata: metadata as Record<string, string> };
}

function readHeader(bytes: Uint8Array): Record<string, unknown> {
  try {
    const header: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof header === "object" && header !== null) return { ...header };
  } catch (cause) {
    throw new InvalidInputError("bytes", "a JSON header", describeThrown(cause), { cause });
  }
  throw new InvalidInputError("bytes", "a header that is a JSON object", "another value");
}

function readTensor(name: string, entry: unknown, data: Uint8Array): HostTensor {
  const {
    dtype,
    shape,
    data_offsets: offsets,
  } = (entry ?? {}) as Readonly<Record<string, unknown>>;
  const known = typeof dtype === "string" ? dtypes[dtype] : undefined;
  if (known === undefined) {
    const expected = `dtype ${Object.keys(dtypes).join(", ")}`;
    throw new InvalidInputError(name, expected, describeValue(dtype));
  }
  const [start, end] = isList(offsets) ? (offsets as number[]) : [];
  const within =
    Number.isInteger(start) &&
    Number.isInteger(end) &&
    (start as number) >= 0 &&
    (start as number) <= (end as number) &&
    (end as number) <= data.byteLength;
  if (!within) {
    throw new InvalidInputError(name, "data inside the file", `offsets ${describeValue(offsets)}`);
  }
  // A copy, since a typed array must start aligned (and a Buffer's slice() would be none).
  const { buffer } = new Uint8Array(data.subarray(start, end));
  const array = elements(name, dtype as string, buffer);
  return tensor(array, shape as readonly number[], { dtype: known });
}

function elements(name: string, dtype: string, data: ArrayBuffer): TypedArray {
  const size = Number(/\d+$/.exec(dtype)?.[0] ?? 8) / 8;
  if (data.byteLength % size !== 0) {
    throw new InvalidInputError(name, `elements of ${size} bytes`, `${data.byteLength} bytes`);
  }
  switch (dtype) {
    case "F64":
      return new Float64Array(data);
    case "F32":
      return new Float32Array(data);
    case "F16":
      return new Uint16Array(data);
    case "I32":
      return new Int32Array(data);
    case "I64":
      return Int32Array.from(new BigInt64Array(data), Number);
    case "I8":
      return new Int8Array(data);
    default:
      return new Uint8Array(data);
  }
}
