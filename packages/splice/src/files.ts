import { open } from "node:fs/promises";
import { externalFileOf } from "./cut/extract.js";
import { readModel } from "./graph/read.js";

/** Bytes that one read asks for: systems read less than 2 GiB at once. */
const step = 2 ** 30;

/**
 * Contents of a file, also of one past 2 GiB, which Node's `readFile` refuses; weights beside a model may be in such a
 * file. For Node and runtimes like it.
 *
 * @throws Error of the file system, such as ENOENT
 */
export async function readWholeFile(path: string): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; ) {
      const { bytesRead } = await file.read(bytes, at, Math.min(step, size - at), at);
      if (bytesRead === 0) return bytes.subarray(0, at);
      at += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}

/**
 * Paths of the files beside a model in which its weights are, as the model says them.
 *
 * @param bytes an ONNX file
 * @throws SpliceError as `splice`, for a file that is no model
 */
export function externalFilesOf(bytes: Uint8Array): string[] {
  const weights = readModel(bytes).graph?.initializer ?? [];
  return [...new Set(weights.flatMap((weight) => externalFileOf(weight) ?? []))];
}
