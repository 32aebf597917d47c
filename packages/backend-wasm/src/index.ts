/**
 * Scaled dot-product attention in WebAssembly: FlashAttention with SIMD, relaxed SIMD where the engine
 * has it, and threads.
 *
 * @module
 */
import type { AttentionProvider } from "@heed/core";
import { WasmBackend } from "./backend.js";
import { checkOptions, loadWasm, type WasmOptions } from "./load.js";

export { WasmOutOfMemoryError } from "./errors.js";
export type * from "./globals.js";
export type { WasmOptions } from "./load.js";
export type { SimdBuild } from "./module.js";

/**
 * The WebAssembly backend: float32 and float16, with all of the semantics.
 *
 * @throws InvalidInputError naming the option at fault
 */
export function wasm(options: WasmOptions = {}): AttentionProvider {
  checkOptions(options);
  return { name: "wasm", load: async () => new WasmBackend(await loadWasm(options)) };
}
