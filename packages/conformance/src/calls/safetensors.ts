import {
  type DType,
  type HostTensor,
  InvalidInputError,
  type TypedArray,
  tensor,
} from "@heed/core";

/** The contents of a safetensors file. int64 tensors become int32, since their values are lengths. */
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
  U8: "uint8",
  BOOL: "bool",
};

/**
 * Reads the safetensors format (https://huggingface.co/docs/safetensors): the header's length as a
 * little-endian 64-bit integer, a JSON header, and the tensors' bytes.
 *
 * @param bytes the whole file
 * @throws InvalidInputError naming what is wrong with it
 */
export function readSafeTensors(bytes: Uint8Array): SafeTensors {
  const wrong = (argument: string, expected: string, actual: unknown): never => {
    throw new InvalidInputError(argument, expected, String(actual));
  };
  if (bytes.byteLength < 8) wrong("bytes", "a safetensors file", `${bytes.byteLength} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = Number(view.getBigUint64(0, true));
  const dataStart = 8 + headerBytes;
  if (dataStart > bytes.byteLength) {
    wrong("bytes", `a header of ${headerBytes} bytes`, `a file of ${bytes.byteLength}`);
  }
  let header: Record<string, unknown> = {};
  try {
    header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, dataStart)));
  } catch (error) {
    wrong("bytes", "a JSON header", error);
  }
  const { __metadata__: metadata = {}, ...entries } = header;
  const tensors: Record<string, HostTensor> = {};
  for (const [name, entry] of Object.entries(entries)) {
    const {
      dtype,
      shape,
      data_offsets: offsets,
    } = entry as {
      dtype: string;
      shape: number[];
      data_offsets: [number, number];
    };
    const known = dtypes[dtype] ?? wrong(name, `dtype ${Object.keys(dtypes).join(", ")}`, dtype);
    const [start, end] = [dataStart + offsets[0], dataStart + offsets[1]];
    if (!(start >= dataStart && start <= end && end <= bytes.byteLength)) {
      wrong(name, "data inside the file", `offsets [${offsets}]`);
    }
    // A copy, since a typed array must start aligned (and a Buffer's slice() would be none).
    const data = new Uint8Array(bytes.subarray(start, end)).buffer;
    tensors[name] = tensor(elements(dtype, data), shape, { dtype: known as DType });
  }
  return { tensors, metadata: metadata as Record<string, string> };
}

function elements(dtype: string, data: ArrayBuffer): TypedArray {
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
    default:
      return new Uint8Array(data);
  }
}
