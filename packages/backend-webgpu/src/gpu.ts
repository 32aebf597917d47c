import { BackendUnavailableError } from "@heed/core";

interface WebGpuPackage {
  create(options: readonly string[]): GPU;
}

/** Not imported by a literal name, so that bundlers for browsers leave it alone. */
const nodePackage = "webgpu";

/**
 * What `create()` of the package gave, by whether experiments are allowed, for as long as the process
 * lives: once it is collected, Dawn aborts the process at the next call on a device made from it.
 */
const created = new Map<boolean, Promise<GPU>>();

/**
 * The entry point of WebGPU: `navigator.gpu` in browsers, workers and Deno, and the package `webgpu`
 * in Node.
 *
 * @param experiments whether features that are no standard are wanted; browsers have flags for that
 * @throws BackendUnavailableError where there is none
 */
export async function findGpu(experiments = false): Promise<GPU> {
  const { navigator, process } = globalThis as {
    navigator?: { gpu?: GPU };
    process?: { versions?: { node?: string } };
  };
  if (navigator?.gpu) return navigator.gpu;
  if (process?.versions?.node === undefined) {
    throw new BackendUnavailableError(
      "this runtime has no WebGPU",
      "pages need a secure context (https or localhost) and a browser with WebGPU",
    );
  }
  const creating = created.get(experiments) ?? createInNode(experiments);
  created.set(experiments, creating);
  try {
    return await creating;
  } catch (error) {
    created.delete(experiments);
    throw error;
  }
}

async function createInNode(experiments: boolean): Promise<GPU> {
  let module: WebGpuPackage;
  try {
    module = (await import(/* @vite-ignore */ nodePackage)) as WebGpuPackage;
  } catch (cause) {
    const missing = (cause as { code?: unknown }).code === "ERR_MODULE_NOT_FOUND";
    throw new BackendUnavailableError(
      missing
        ? "Node has WebGPU through the package webgpu, which is not installed"
        : `the package webgpu does not load: ${cause instanceof Error ? cause.message : String(cause)}`,
      missing ? "npm install webgpu" : undefined,
      { cause },
    );
  }
  return module.create(experiments ? ["enable-dawn-features=allow_unsafe_apis"] : []);
}
