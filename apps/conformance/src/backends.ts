import { type AttentionProvider, reference } from "@heed/core";

/** The backends of this project, each imported when it is asked for. */
export const backends: Readonly<Record<string, () => Promise<AttentionProvider>>> = {
  webgpu: async () => (await import("@heed/backend-webgpu")).webgpu(),
  wasm: async () => (await import("@heed/backend-wasm")).wasm(),
  js: async () => (await import("@heed/backend-js")).js(),
  onnx: async () => (await import("@heed/backend-onnx")).onnx(),
  reference: async () => reference(),
};
