import { BackendUnavailableError } from "@heed/core";
import { type Capabilities, type Limits, limitNames } from "./capabilities.js";
import { findGpu } from "./gpu.js";
import type { WebGpuOptions } from "./options.js";

/** A device that is ready, and what is known about it. */
export interface OpenDevice {
  readonly device: GPUDevice;
  /** Whether it is the backend's to destroy. */
  readonly owned: boolean;
  readonly capabilities: Capabilities;
  /** The adapter's name. */
  readonly name: string;
  /** Features of the device that kernels may use. */
  readonly features: readonly string[];
  readonly notes: readonly string[];
}

const usefulFeatures = ["shader-f16", "subgroups"] as const;

/** @throws BackendUnavailableError with the reason, where there is no adapter or no device */
export async function openDevice(options: WebGpuOptions): Promise<OpenDevice> {
  if (options.device) return describeDevice(options.device, false, options);
  const gpu = await findGpu();
  const adapter = await gpu.requestAdapter({
    ...(options.powerPreference && { powerPreference: options.powerPreference }),
  });
  if (adapter === null) {
    throw new BackendUnavailableError(
      "WebGPU finds no adapter",
      "it needs a GPU with a driver (in Node on Linux a Vulkan driver and loader)",
    );
  }
  const requiredFeatures = usefulFeatures.filter(
    (feature) => adapter.features.has(feature) && options.features?.[feature] !== false,
  );
  try {
    const device = await adapter.requestDevice({
      label: "heed",
      requiredFeatures,
      requiredLimits: Object.fromEntries(limitNames.map((name) => [name, adapter.limits[name]])),
    });
    return describeDevice(device, true, options);
  } catch (cause) {
    throw new BackendUnavailableError(
      `the adapter gives no device: ${cause instanceof Error ? cause.message : String(cause)}`,
      undefined,
      { cause },
    );
  }
}

function describeDevice(device: GPUDevice, owned: boolean, options: WebGpuOptions): OpenDevice {
  const info = device.adapterInfo as GPUAdapterInfo | undefined;
  const may = (feature: (typeof usefulFeatures)[number]): boolean =>
    device.features.has(feature) && options.features?.[feature] !== false;
  const limits = Object.fromEntries(limitNames.map((name) => [name, device.limits[name]]));
  const words = [info?.vendor, info?.architecture, info?.device, info?.description];
  const name = words.filter(Boolean).join(" ") || "an adapter that does not say its name";
  const software =
    info?.isFallbackAdapter === true || /swiftshader|llvmpipe|lavapipe|warp/i.test(name);
  const capabilities: Capabilities = {
    limits: limits as Limits,
    float16: may("shader-f16"),
    subgroups: may("subgroups"),
    software,
  };
  return {
    device,
    owned,
    capabilities,
    name,
    features: usefulFeatures.filter(may),
    notes: [
      ...(software ? ["a software adapter: the GPU is imitated by the CPU"] : []),
      ...(capabilities.float16
        ? []
        : ["float16 is converted to float32 and back on the device, without shader-f16"]),
      `workgroup memory ${device.limits.maxComputeWorkgroupStorageSize / 1024} KiB, bindings up to ${device.limits.maxStorageBufferBindingSize / 2 ** 20} MiB`,
    ],
  };
}
