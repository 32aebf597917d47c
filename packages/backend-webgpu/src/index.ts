/**
 * Attention on WebGPU: in browsers, workers, and Node through the package `webgpu`.
 *
 * @module
 */
import type { AttentionProvider } from "@heed/core";
import { WebGpuBackend } from "./backend.js";
import { openDevice } from "./device.js";
import { backendName } from "./faults.js";
import { checkOptions, type WebGpuOptions } from "./options.js";

export type { WebGpuBackend } from "./backend.js";
export type * from "./globals.js";
export { type WrapOptions, webgpuTensor } from "./memory/wrap.js";
export type { WebGpuFeatures, WebGpuOptions } from "./options.js";
export { pendingEncodes, type WebGpuPlan } from "./plan.js";

export interface WebGpuProvider extends AttentionProvider {
  load(): Promise<WebGpuBackend>;
}

/**
 * The WebGPU backend.
 *
 * @throws InvalidInputError naming the option at fault
 */
export function webgpu(options: WebGpuOptions = {}): WebGpuProvider {
  checkOptions(options);
  return {
    name: backendName,
    load: async () => new WebGpuBackend(await openDevice(options), options),
  };
}
