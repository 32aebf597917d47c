import { BackendUnavailableError } from "@heed/core";
import {
  type Capabilities,
  type Limits,
  limitNames,
  matricesOf,
  type SubgroupMatrixConfig,
} from "./capabilities.js";
import { findGpu } from "./gpu.js";
import { subgroupMatrixFeature, type WebGpuOptions } from "./options.js";

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

const usefulFeatures = ["shader-f16", "subgroups", subgroupMatrixFeature] as const;

/** Experiments have to be asked for; everything else is used unless it is declined. */
function wanted(feature: (typeof usefulFeatures)[number], { features }: WebGpuOptions): boolean {
  return feature === subgroupMatrixFeature
    ? features?.[feature] === true && features.subgroups !== false
    : features?.[feature] !== false;
}

/** @throws BackendUnavailableError with the reason, where there is no adapter or no device */
export async function openDevice(options: WebGpuOptions): Promise<OpenDevice> {
  if (options.device)
    return describeDevice(options.device, false, options, options.device.adapterInfo);
  const gpu = await findGpu(wanted(subgroupMatrixFeature, options));
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
    (feature) => adapter.features.has(feature) && wanted(feature, options),
  ) as GPUFeatureName[];
  try {
    const device = await adapter.requestDevice({
      label: "heed",
      requiredFeatures,
      requiredLimits: Object.fromEntries(limitNames.map((name) => [name, adapter.limits[name]])),
    });
    // Not the device's: in Dawn's package for Node, that of 0.6.2 has no matrices.
    return describeDevice(device, true, options, adapter.info);
  } catch (cause) {
    throw new BackendUnavailableError(
      `the adapter gives no device: ${cause instanceof Error ? cause.message : String(cause)}`,
      undefined,
      { cause },
    );
  }
}

type AdapterInfo = GPUAdapterInfo & {
  readonly subgroupMatrixConfigs?: readonly SubgroupMatrixConfig[];
};

function describeDevice(
  device: GPUDevice,
  owned: boolean,
  options: WebGpuOptions,
  info: AdapterInfo | undefined,
): OpenDevice {
  const may = (feature: (typeof usefulFeatures)[number]): boolean =>
    device.features.has(feature) && wanted(feature, options);
  const limits = Object.fromEntries(limitNames.map((name) => [name, device.limits[name]]));
  const words = [info?.vendor, info?.architecture, info?.device, info?.description];
  const name = words.filter(Boolean).join(" ") || "an adapter that does not say its name";
  const software =
    info?.isFallbackAdapter === true || /swiftshader|llvmpipe|lavapipe|warp/i.test(name);
  const capabilities: Capabilities = {
    limits: limits as Limits,
    float16: may("shader-f16"),
    subgroups: may("subgroups"),
    matrices: may(subgroupMatrixFeature)
      ? matricesOf(info?.subgroupMatrixConfigs ?? [], info?.subgroupMaxSize ?? 0)
      : null,
    software,
  };
  const { matrices } = capabilities;
  return {
    device,
    owned,
    capabilities,
    name,
    features: usefulFeatures.filter(
      (feature) => may(feature) && (feature !== subgroupMatrixFeature || matrices !== null),
    ),
    notes: [
      ...(software ? ["a software adapter: the GPU is imitated by the CPU"] : []),
      ...(capabilities.float16
        ? []
        : ["float16 is converted to float32 and back on the device, without shader-f16"]),
      ...(wanted(subgroupMatrixFeature, options)
        ? [
            matrices
              ? `an experiment: float16 by matrices of ${matrices.m} × ${matrices.k} and ${matrices.k} × ${matrices.n}`
              : "no subgroup matrices of float16 that are summed in float32",
          ]
        : []),
      `workgroup memory ${device.limits.maxComputeWorkgroupStorageSize / 1024} KiB, bindings up to ${device.limits.maxStorageBufferBindingSize / 2 ** 20} MiB`,
    ],
  };
}
