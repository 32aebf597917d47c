import type { TypedArray } from "@heed/core";
import type { Runtime, RuntimeDType, RuntimeTensor } from "./runtime.js";

type ArrayConstructor = new (
  buffer: ArrayBufferLike,
  byteOffset: number,
  length: number,
) => TypedArray;

const arrays: Readonly<Record<RuntimeDType, unknown>> = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

/**
 * A tensor of onnxruntime over elements in JavaScript memory, as its code can read them:
 *
 * - float16 as a `Uint16Array` of bits. Where there is a `Float16Array`, the engine's own (Node 24) or a
 *   polyfill, onnxruntime's `Tensor` makes one of whatever it is given, and the native code of 1.30 takes
 *   its length for 0: `session.run` fails with "not enough space: expected 448, got 0". It does read bits,
 *   so the tensor's `data` becomes those.
 * - An array of another realm as one of this realm, over the same memory: onnxruntime tests with
 *   `instanceof`.
 * - onnxruntime-node only: a copy of elements in shared or resizable memory. Its native code refuses a
 *   SharedArrayBuffer ("Invalid argument").
 *
 * To be simplified when test/runtime-defects.node.test.ts says so.
 */
export function runtimeTensor(
  runtime: Runtime,
  dtype: RuntimeDType,
  data: TypedArray,
  dims: readonly number[],
): RuntimeTensor {
  const Own = arrays[dtype] as ArrayConstructor;
  const { buffer, byteOffset, length } = data;
  const readable = data.constructor === Own && ArrayBuffer.isView(data);
  let elements = readable ? data : new Own(buffer, byteOffset, length);
  const native = runtime.env.versions?.node !== undefined;
  if (native && !isFixed(buffer)) elements = elements.slice() as TypedArray;
  const made = new runtime.Tensor(dtype, elements, dims);
  if (dtype !== "float16" || made.data instanceof Uint16Array) return made;
  return Object.defineProperty(made, "data", { value: elements });
}

/** Whether a buffer is neither shared nor resizable, so that onnxruntime-node reads it in place. */
export function isFixed(buffer: ArrayBufferLike): boolean {
  if (Object.prototype.toString.call(buffer) === "[object SharedArrayBuffer]") return false;
  return (buffer as { readonly resizable?: boolean }).resizable !== true;
}
