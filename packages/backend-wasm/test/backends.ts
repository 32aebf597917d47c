import type { Backend } from "@heed/core";
import type { SharingLimits } from "../src/attention/plan.js";
import { wasmProvider } from "../src/backend.js";
import { type LoadedWasm, loadWasm } from "../src/load.js";
import type { WasmOptions } from "../src/options.js";

/** The backend over what was loaded, with memory. */
export async function backendOver(
  wasm: LoadedWasm,
  limits?: SharingLimits,
): Promise<Backend & Required<Pick<Backend, "memory" | "upload">>> {
  const backend = await wasmProvider(() => wasm, limits).load();
  return backend as Backend & Required<Pick<Backend, "memory" | "upload">>;
}

/** Loads, and waits until all threads have started. */
export async function loadThreads(options: WasmOptions): Promise<LoadedWasm> {
  const wasm = await loadWasm(options);
  wasm.pool?.start();
  await wasm.pool?.ready;
  return wasm;
}
