import { InvalidInputError } from "../errors.js";
import { bytesPerElement, type DType } from "../tensor/dtype.js";
import { readHostTensor } from "../tensor/host-tensor.js";
import { copyRowMajor } from "../tensor/values.js";
import type { SafeTensors } from "./read.js";

const names: Readonly<Record<DType, string>> = {
  float64: "F64",
  float32: "F32",
  float16: "F16",
  int32: "I32",
  int8: "I8",
  uint8: "U8",
  bool: "BOOL",
};

/**
 * The bytes of a safetensors file (https://huggingface.co/docs/safetensors). Tensors with larger elements
 * come first, so that all are aligned in the file.
 *
 * @throws InvalidInputError for what is no host tensor
 */
export function writeSafeTensors({ tensors, metadata }: SafeTensors): Uint8Array {
  const rows = Object.entries(tensors).map(([name, given]) => {
    if (name === "__metadata__") {
      throw new InvalidInputError("tensors", "another name than that of the metadata", name);
    }
    const { dtype, shape, data } = copyRowMajor(readHostTensor(name, given));
    return {
      name,
      dtype,
      shape,
      bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    };
  });
  rows.sort((a, b) => bytesPerElement(b.dtype) - bytesPerElement(a.dtype));
  const header: Record<string, unknown> = { __metadata__: metadata };
  let end = 0;
  for (const { name, dtype, shape, bytes } of rows) {
    const start = end;
    end += bytes.byteLength;
    header[name] = { dtype: names[dtype], shape, data_offsets: [start, end] };
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const headerBytes = Math.ceil(text.byteLength / 8) * 8;
  const file = new Uint8Array(8 + headerBytes + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.fill(0x20, 8, 8 + headerBytes);
  file.set(text, 8);
  let at = 8 + headerBytes;
  for (const { bytes } of rows) {
    file.set(bytes, at);
    at += bytes.byteLength;
  }
  return file;
}
