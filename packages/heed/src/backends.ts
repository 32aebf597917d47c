import type { WasmOptions } from "@heed/backend-wasm";
import type { WebGpuOptions } from "@heed/backend-webgpu";
import type { Provider } from "@heed/core";
import { BackendUnavailableError } from "@heed/core/tensor";
import { type Environment, environmentOf, type Globals } from "./environment.js";
import type { BackendName } from "./order.js";

export type { WasmOptions } from "@heed/backend-wasm";
export type { WebGpuOptions } from "@heed/backend-webgpu";

/** The backend of `@heed/backend-webgpu`, downloaded when it is tried. */
export function webgpu(options: WebGpuOptions = {}): Provider {
  return lazy("webgpu", async () => {
    if (options.device === undefined) checkGpu();
    return (await import("@heed/backend-webgpu")).webgpu(options) as Provider;
  });
}

/** The backend of `@heed/backend-wasm`, downloaded when it is tried. */
export function wasm(options: WasmOptions = {}): Provider {
  return lazy("wasm", async () => (await import("@heed/backend-wasm")).wasm(options));
}

/** The backend of `@heed/backend-js`, downloaded when it is tried. */
export function js(): Provider {
  return lazy("js", async () => (await import("@heed/backend-js")).js());
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
