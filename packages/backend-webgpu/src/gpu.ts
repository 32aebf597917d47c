import { BackendUnavailableError } from "@heed/core";

interface WebGpuPackage {
  create(options: readonly string[]): GPU;
}

/**
 * Name of the optional package that gives Node WebGPU. Browsers never import it: comments at the
 * import keep webpack and Vite from resolving it, a variable keeps other bundlers from it.
 */
const nodePackage = "webgpu";

/**
 * Results of `create()` of the package, by whether experiments are allowed. They are kept for as long
 * as the process lives: once one is collected, Dawn aborts the process at the next call on a device
 * made from it.
 */
const created = new Map<boolean, Promise<GPU>>();

/** The parts of the global object that tell runtimes apart. */
interface Runtime {
  readonly navigator?: { readonly gpu?: GPU };
  readonly process?: { readonly versions?: { readonly node?: string }; readonly platform?: string };
  readonly Deno?: unknown;
  readonly isSecureContext?: boolean;
}

/** Runtimes that WebGPU is looked for in, as far as hints differ. */
export type RuntimeName = "browser" | "deno" | "node";

/** The runtime that this code runs in. Bun counts as Node: it loads Node's packages. */
export function runtimeName(runtime: Runtime = globalThis as Runtime): RuntimeName {
  if (runtime.Deno !== undefined) return "deno";
  return runtime.process?.versions?.node === undefined ? "browser" : "node";
}

/** Names the software to install or the setting to change if WebGPU finds no GPU. */
export function driverHint(runtime: Runtime = globalThis as Runtime): string {
  if (runtimeName(runtime) === "browser") {
    return "the browser finds no usable GPU: switch on hardware acceleration in its settings, and see its page about the GPU (chrome://gpu, about:support)";
  }
  const { platform } = runtime.process ?? {};
  if (platform === "darwin" || platform === "win32") {
    return "a GPU with a driver for Metal or Direct3D 12 is needed";
  }
  return "a Vulkan loader and driver are needed: on Debian and Ubuntu, apt install libvulkan1 mesa-vulkan-drivers (NVIDIA's driver brings its own); VK_DRIVER_FILES can name a driver's file";
}

/**
 * The entry point of WebGPU: `navigator.gpu` in browsers, workers and Deno, and the package `webgpu`
 * in Node.
 *
 * @param experiments whether features that are no standard are wanted; browsers have flags for that
 * @throws BackendUnavailableError where there is none
 */
export async function findGpu(experiments = false): Promise<GPU> {
  const runtime = globalThis as Runtime;
  if (runtime.navigator?.gpu) return runtime.navigator.gpu;
  const name = runtimeName(runtime);
  if (name !== "node") throw new BackendUnavailableError("this runtime has no WebGPU", noApiHint());
  const creating = created.get(experiments) ?? createInNode(experiments);
  created.set(experiments, creating);
  try {
    return await creating;
  } catch (error) {
    created.delete(experiments);
    throw error;
  }
}

function noApiHint(): string {
  if (runtimeName() === "deno") return "start Deno with --unstable-webgpu";
  return (globalThis as Runtime).isSecureContext === false
    ? "pages have WebGPU in secure contexts only: serve this one by https or from localhost"
    : "a browser with WebGPU is needed: Chrome or Edge 113, Safari 26, Firefox 141 or later";
}

async function createInNode(experiments: boolean): Promise<GPU> {
  let module: WebGpuPackage;
  try {
    module = (await import(
      /* webpackIgnore: true */ /* @vite-ignore */ nodePackage
    )) as WebGpuPackage;
  } catch (cause) {
    const missing = (cause as { code?: unknown }).code === "ERR_MODULE_NOT_FOUND";
    throw new BackendUnavailableError(
      missing
        ? "Node has WebGPU through the package webgpu, which is not installed"
        : `the package webgpu does not load: ${messageOf(cause)}`,
      missing
        ? `npm install webgpu; ${driverHint()}`
        : `the package has binaries for Linux, macOS and Windows on x64 and arm64; ${driverHint()}`,
      { cause },
    );
  }
  try {
    return module.create(experiments ? ["enable-dawn-features=allow_unsafe_apis"] : []);
  } catch (cause) {
    throw new BackendUnavailableError(
      `the package webgpu does not start: ${messageOf(cause)}`,
      driverHint(),
      { cause },
    );
  }
}

/** The message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
