import type { WasmOptions as WasmBackendOptions } from "@heed/backend-wasm";
import type { WebGpuOptions } from "@heed/backend-webgpu";
import type { Provider } from "@heed/core";
import { BackendUnavailableError } from "@heed/core/tensor";
import { type Environment, environmentOf, type Globals } from "./environment.js";
import type { BackendName } from "./order.js";

export type { WebGpuOptions } from "@heed/backend-webgpu";

/** The backend of `@heed/backend-webgpu`, downloaded when it is tried. */
export function webgpu(options: WebGpuOptions = {}): Provider {
  // One provider for all that load: it remembers what was measured on the device.
  let provider: Provider | undefined;
  return lazy("webgpu", async () => {
    if (options.device === undefined) checkGpu();
    provider ??= (await import("@heed/backend-webgpu")).webgpu(options) as Provider;
    return provider;
  });
}

/** The thread on which a backend computes. */
export interface WorkerOptions {
  /**
   * Whether a worker computes calls of attention that take more than some milliseconds, so that the calling thread goes
   * on; their tensors are copied. Calls with programs or a block mask are computed by the calling thread in any case. A
   * call that is aborted ends at once. Where there can be no worker, `info.notes`
   * says why, and the calling thread computes. Default false.
   */
  readonly worker?: boolean | undefined;
}

export interface WasmOptions extends WasmBackendOptions, WorkerOptions {}

/** The backend of `@heed/backend-wasm`, downloaded when it is tried. */
export function wasm({ worker = false, store, ...options }: WasmOptions = {}): Provider {
  return lazy("wasm", async () => {
    const { wasm } = await import("@heed/backend-wasm");
    if (!worker) return wasm({ ...options, store });
    // A store is functions, which cannot be sent to a worker.
    const { inWorker } = await import("./worker/backend.js");
    return inWorker("wasm", options, {
      // It computes short calls: threads of its own would not be worth it.
      local: async () => wasm({ ...options, threads: 1 }),
      alone: async () => wasm(options),
    });
  });
}

/** The backend of `@heed/backend-js`, downloaded when it is tried. */
export function js({ worker = false }: WorkerOptions = {}): Provider {
  return lazy("js", async () => {
    const { js } = await import("@heed/backend-js");
    if (!worker) return js();
    const { inWorker } = await import("./worker/backend.js");
    return inWorker("js", {}, { local: async () => js(), alone: async () => js() });
  });
}

/** A provider that imports its package when it is loaded. */
export function lazy(name: BackendName, provider: () => Promise<Provider>): Provider {
  return { name, load: async () => (await provider()).load() };
}

/** Runtimes whose WebGPU comes from a package, so that it may exist without `navigator.gpu`. */
const withPackages: ReadonlySet<Environment> = new Set(["node", "bun"]);

/** @throws BackendUnavailableError where there is no WebGPU, before anything is downloaded for it */
function checkGpu(): void {
  const globals = globalThis as Globals & { readonly isSecureContext?: boolean };
  if (globals.navigator?.gpu || withPackages.has(environmentOf())) return;
  throw new BackendUnavailableError(
    "this runtime has no WebGPU",
    globals.isSecureContext === false
      ? "pages have WebGPU in secure contexts only: serve this one by https or from localhost"
      : "Chrome or Edge 113, Safari 26, Firefox 141 or later have it; Deno has it with --unstable-webgpu",
  );
}
