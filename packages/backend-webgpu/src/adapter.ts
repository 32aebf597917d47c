import { BackendUnavailableError } from "@heed/core";
import type { SubgroupMatrixConfig } from "./capabilities.js";
import { driverHint, findGpu, messageOf } from "./gpu.js";
import type { WebGpuOptions } from "./options.js";

/** Information on an adapter, with members that are no standard yet. */
export type AdapterInfo = Partial<GPUAdapterInfo> & {
  readonly subgroupMatrixConfigs?: readonly SubgroupMatrixConfig[];
};

/** The adapter's name as it gives it itself: vendor, architecture, device and description. */
export function adapterName(info: AdapterInfo | undefined): string {
  const words = [info?.vendor, info?.architecture, info?.device, info?.description];
  return words.filter(Boolean).join(" ") || "an adapter that does not say its name";
}

/**
 * Names of adapters that compute on the CPU. Not every implementation has `isFallbackAdapter`, and
 * some do not set it: Dawn leaves it false for Mesa's driver when a Vulkan loader offers that first.
 */
const softwareNames =
  /swiftshader|llvmpipe|lavapipe|softpipe|\bwarp\b|microsoft basic render|software (adapter|rasterizer|renderer)/i;

/**
 * Whether a fallback adapter's compiler takes a minute and more for a kernel that is unrolled: only SwiftShader's is known not to.
 * LLVM in Mesa's llvmpipe does; Firefox and Deno use it, and Firefox does not tell its name.
 */
export function compilesSlowly(info: AdapterInfo | undefined): boolean {
  return !/swiftshader/i.test(adapterName(info));
}

/**
 * Whether an adapter is what WebGPU calls a fallback adapter: a GPU imitated on the CPU.
 *
 * @param flagged `isFallbackAdapter` of the adapter itself, where older implementations have it
 */
export function isFallback(info: AdapterInfo | undefined, flagged?: boolean): boolean {
  return (
    info?.isFallbackAdapter === true || flagged === true || softwareNames.test(adapterName(info))
  );
}

/**
 * The adapter that a device of the backend's own comes from.
 *
 * @param experiments whether features that are no standard are wanted
 * @throws BackendUnavailableError if there is none, or only a fallback adapter that `options` do not
 *   allow
 */
export async function requestAdapter(
  options: Pick<WebGpuOptions, "powerPreference" | "allowFallbackAdapter">,
  experiments: boolean,
): Promise<GPUAdapter> {
  const gpu = await findGpu(experiments);
  let adapter: GPUAdapter | null;
  try {
    adapter = await gpu.requestAdapter({
      ...(options.powerPreference && { powerPreference: options.powerPreference }),
    });
  } catch (cause) {
    const message = `WebGPU gives no adapter: ${messageOf(cause)}`;
    throw new BackendUnavailableError(message, driverHint(), { cause });
  }
  if (adapter === null) throw new BackendUnavailableError("WebGPU finds no adapter", driverHint());
  const { isFallbackAdapter } = adapter as { isFallbackAdapter?: boolean };
  if (options.allowFallbackAdapter !== true && isFallback(adapter.info, isFallbackAdapter)) {
    throw new BackendUnavailableError(
      `the only adapter imitates a GPU on the CPU: ${adapterName(adapter.info)}`,
      "the backends wasm and js are faster on a CPU; webgpu({ allowFallbackAdapter: true }) uses the adapter nevertheless; if there is a GPU, its driver is missing",
    );
  }
  return adapter;
}
