/**
 * Heed's backend on WebGPU: in browsers, workers, Deno, and Node through the package `webgpu`.
 *
 * @module
 */
import type { AttentionProvider } from "@heed/core";
import type { Remembered } from "./attention/tuning/remembered.js";
import type { WebGpuBackend } from "./backend.js";
import { openDevice } from "./device.js";
import { backendName } from "./name.js";
import { checkOptions, type WebGpuOptions } from "./options.js";

export type { Settings } from "./attention/choice/settings.js";
export type { TuneOptions, TuneResult } from "./attention/tuning/options.js";
export type { Outcome } from "./attention/tuning/search.js";
export type { TunedChoice, TunedDevice, TuningTable } from "./attention/tuning/table.js";
export type { WebGpuBackend, WebGpuPlan } from "./backend.js";
export { pendingEncodes } from "./execution/pending-encodes.js";
export type * from "./globals.js";
export type { WebGpuFeatures, WebGpuOptions } from "./options.js";
export { type WrapOptions, webgpuTensor } from "./wrap.js";

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
  const remembered: Remembered = { given: options.tuning, devices: new Map() };
  return {
    name: backendName,
    // Kernels are imported once there is a device: a page without one does not download them.
    load: async () => {
      const open = await openDevice(options);
      return (await import("./backend.js")).WebGpuBackend.on(open, options, remembered);
    },
  };
}
