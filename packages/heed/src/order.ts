import type { Environment } from "./environment.js";

/** Names of the backends that `heed` brings. */
export type BackendName = "webgpu" | "wasm" | "onnx" | "js";

/** A backend's place in the order of an environment. */
export interface Place {
  readonly backend: BackendName;
  /** Why it stands there, in a sentence that explanations quote. */
  readonly reason: string;
}

const gpu: Place = {
  backend: "webgpu",
  reason: "a GPU outruns a CPU on all but small calls; adapters that imitate one are refused",
};
const onnx: Place = {
  backend: "onnx",
  reason: "onnxruntime-node computes long prompts 1.6 times as fast as wasm, where it is installed",
};
const wasm: Place = {
  backend: "wasm",
  reason: "WebAssembly with SIMD is about 10 times as fast as JavaScript",
};
const js: Place = { backend: "js", reason: "plain JavaScript runs everywhere" };

/**
 * Backends in order of preference, by environment. The factors are medians of the benchmark's model
 * cases (`pnpm bench`; the table in the repository's README).
 *
 * onnx is in the order of Node alone: elsewhere its runtime is a download of 14 MB or more, which an
 * application has to ask for.
 */
export const defaultOrder: Readonly<Record<Environment, readonly Place[]>> = {
  browser: [gpu, wasm, js],
  worker: [gpu, wasm, js],
  node: [gpu, onnx, wasm, js],
  deno: [gpu, wasm, js],
  bun: [gpu, wasm, js],
  // There is no GPU, and modules cannot be compiled at run time: wasm needs `wasm({ module })`.
  workerd: [wasm, js],
  other: [gpu, wasm, js],
};
