import { float16BitsToNumber, InvalidInputError } from "@heed/core";
import { unzipSync } from "fflate";
import type { OnnxTensor } from "../spliced-model.js";

/** Element types of NumPy's files: onnxruntime's name, and the typed array that holds them. */
const types = {
  "<f4": ["float32", Float32Array],
  "<f8": ["float64", Float64Array],
  "<f2": ["float16", Uint16Array],
  "<i8": ["int64", BigInt64Array],
  "<i4": ["int32", Int32Array],
  "|i1": ["int8", Int8Array],
  "|u1": ["uint8", Uint8Array],
  "|b1": ["bool", Uint8Array],
} as const;

/**
 * Tensors from a file of `numpy.savez`, compressed or not: a feed for each array in it.
 *
 * @throws InvalidInputError for another file, and for arrays in Fortran's order or of another element type
 */
export function readNpz(bytes: Uint8Array): Record<string, OnnxTensor> {
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(bytes);
  } catch (cause) {
    throw new InvalidInputError("feeds", "a file of numpy.savez", "no zip archive", { cause });
  }
  return Object.fromEntries(
    Object.entries(files).map(([file, content]) => {
      const name = file.replace(/\.npy$/, "");
      return [name, readNpy(name, content)];
    }),
  );
}

/** One array: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. */
function readNpy(name: string, bytes: Uint8Array): OnnxTensor {
  const wrong = (actual: string): InvalidInputError =>
    new InvalidInputError(`feeds.${name}`, "an array as numpy.save writes it", actual);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || String.fromCharCode(...bytes.subarray(1, 6)) !== "NUMPY") {
    throw wrong("another file");
  }
  const long = (bytes[6] as number) > 1;
  const start = long ? 12 : 10;
  const length = long ? view.getUint32(8, true) : view.getUint16(8, true);
  const header = String.fromCharCode(...bytes.subarray(start, start + length));
  const descr = /'descr':\s*'([^']+)'/.exec(header)?.[1] ?? "";
  const shape = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  const known = types[descr as keyof typeof types];
  if (!known) throw wrong(`elements ${descr || "of several fields"}`);
  if (/'fortran_order':\s*True/.test(header)) throw wrong("Fortran's order");
  const dims = (shape ?? "")
    .split(",")
    .flatMap((size) => (size.trim() === "" ? [] : [Number(size)]));
  const [type, Elements] = known;
  const count = dims.reduce((product, size) => product * size, 1);
  const at = start + length;
  if (bytes.length < at + count * Elements.BYTES_PER_ELEMENT) throw wrong("a truncated one");
  const data = bytes.slice(at, at + count * Elements.BYTES_PER_ELEMENT);
  return { type, dims, data: new Elements(data.buffer, 0, count) };
}

/** The elements of a tensor of onnxruntime's as numbers. */
export function elementsOf({ type, data }: OnnxTensor): Float64Array {
  const bits = type === "float16" && data instanceof Uint16Array;
  return Float64Array.from(data as ArrayLike<number>, (one) =>
    bits ? float16BitsToNumber(one) : Number(one),
  );
}
