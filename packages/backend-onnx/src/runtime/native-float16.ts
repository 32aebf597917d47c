import type { Runtime, RuntimeTensor } from "./runtime.js";

/**
 * A float16 tensor as onnxruntime-node's native code can read it. Where the engine has a
 * `Float16Array` (Node 24), onnxruntime's `Tensor` holds one, whatever it was made of, and the native
 * code of 1.30 takes its length for 0: `session.run` of any float16 input fails with "not enough
 * space: expected 448, got 0". It does read bits, so its `data` becomes those.
 * To be deleted when test/runtime-defects.node.test.ts says so.
 */
export function nativeReadable(runtime: Runtime, t: RuntimeTensor): RuntimeTensor {
  if (t.type !== "float16") return t;
  const { data } = t;
  const needed =
    runtime.env.versions?.node !== undefined &&
    ArrayBuffer.isView(data) &&
    !(data instanceof Uint16Array);
  if (!needed) return t;
  const bits = new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2);
  return Object.defineProperty(t, "data", { value: bits });
}
