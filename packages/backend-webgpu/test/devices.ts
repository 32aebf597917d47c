import { type WebGpuFeatures, webgpu } from "@heed/backend-webgpu";
import { type AttentionProvider, BackendUnavailableError } from "@heed/core";
import type { Preferences } from "../src/attention/choose.js";
import type { KernelName } from "../src/attention/kernel-names.js";
import { WebGpuBackend } from "../src/backend.js";
import type { Capabilities } from "../src/capabilities.js";
import { type OpenDevice, openDevice } from "../src/device.js";
import { findGpu } from "../src/gpu.js";

/**
 * A device as an application gets it: with the limits that all devices have, and without features.
 *
 * @param features to have all the same, where the adapter has them
 */
export async function unrequestedDevice(...features: GPUFeatureName[]): Promise<GPUDevice> {
  const adapter = await (await findGpu()).requestAdapter();
  if (adapter === null) throw new Error("no adapter");
  return adapter.requestDevice({
    requiredFeatures: features.filter((feature) => adapter.features.has(feature)),
  });
}

/** The backend on such a device. */
export function unrequested(...features: GPUFeatureName[]): AttentionProvider {
  return {
    name: "webgpu",
    load: async () => {
      // Says why there is none, where there is none.
      (await webgpu({ allowFallbackAdapter: true }).load()).dispose();
      return webgpu({ device: await unrequestedDevice(...features) }).load();
    },
  };
}

function gpuLike(open: OpenDevice, preferences: Preferences = {}): Promise<WebGpuBackend> {
  const capabilities = { ...open.capabilities, software: false };
  return WebGpuBackend.on({ ...open, capabilities }, preferences);
}

let shared: Promise<OpenDevice> | null = null;

/**
 * One device for all backends of a process, which test files share: kernels that several of them use are compiled once,
 * which takes seconds on a software adapter. No file may destroy it.
 */
export function sharedDevice(): Promise<OpenDevice> {
  shared ??= openDevice({ allowFallbackAdapter: true }).then((open) => ({ ...open, owned: false }));
  return shared;
}

/** A backend on {@link sharedDevice}. */
export function onShared(
  preferences: Preferences = {},
  capabilities: Partial<Capabilities> = {},
): AttentionProvider {
  return {
    name: "webgpu",
    load: async () => {
      const open = await sharedDevice();
      return WebGpuBackend.on(
        { ...open, capabilities: { ...open.capabilities, ...capabilities } },
        preferences,
      );
    },
  };
}

/** The backend that decides as on a real GPU, whatever there is: kernels of those are tested, too. */
export const asOnGpu: AttentionProvider = onShared({}, { software: false });

/**
 * The same where the adapter has a feature, and unavailable elsewhere: named for the feature, which
 * `HEED_REQUIRE` may have.
 */
export function asOnGpuWith(feature: keyof WebGpuFeatures, kernel?: KernelName): AttentionProvider {
  return {
    name: feature,
    load: async () => {
      const open = await openDevice({
        allowFallbackAdapter: true,
        features: { [feature]: true },
      });
      if (!open.features.includes(feature)) {
        open.device.destroy();
        throw new BackendUnavailableError(`${open.name} has no ${feature}`);
      }
      return gpuLike(open, { kernel });
    },
  };
}
