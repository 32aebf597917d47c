/**
 * Scaled dot-product attention in WebAssembly: FlashAttention with SIMD, relaxed SIMD where the engine
 * has it, and threads.
 *
 * @module
 */
import type { Provider } from "@heed/core";
import { wasmProvider } from "./backend.js";
import { loadWasm } from "./load.js";
import { checkOptions, type WasmOptions } from "./options.js";

export type * from "./globals.js";
export { WasmOutOfMemoryError } from "./memory/errors.js";
export type { SimdBuild } from "./module.js";
export type { WasmOptions } from "./options.js";
export type { VariantStore } from "./tiles/store.js";
export type { TileVariant } from "./tiles/variants.js";

/**
 * The WebAssembly backend: float32 and float16, with all of the semantics.
 *
 * @throws InvalidInputError naming the option at fault
 */
export function wasm(options: WasmOptions = {}): Provider {
  checkOptions(options);
  return wasmProvider(() => loadWasm(options));
}
