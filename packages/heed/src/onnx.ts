/**
 * The backend on ONNX Runtime, apart from `heed` itself: bundlers emit its runtime (14 MB or more) for
 * applications that import this, and for no other.
 *
 * @module
 */
import type { OnnxOptions } from "@heed/backend-onnx";
import type { Provider } from "@heed/core";

export type { OnnxOptions } from "@heed/backend-onnx";

/**
 * The backend of `@heed/backend-onnx`, downloaded when it is tried. It needs `onnxruntime-web` or
 * `onnxruntime-node`.
 */
export function onnx(options: OnnxOptions = {}): Provider {
  return {
    name: "onnx",
    load: async () => (await import("@heed/backend-onnx")).onnx(options).load(),
  };
}
