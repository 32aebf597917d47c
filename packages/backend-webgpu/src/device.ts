import { BackendUnavailableError } from "@heed/core";
import {
  type AdapterInfo,
  adapterName,
  compilesSlowly,
  isFallback,
  requestAdapter,
} from "./adapter.js";
import type { TunedDevice } from "./attention/tuning/table.js";
import { type Capabilities, type Limits, limitNames, matricesOf } from "./capabilities.js";
import { messageOf } from "./gpu.js";
import { subgroupMatrixFeature, type WebGpuOptions } from "./options.js";

/** A device that is ready, and what is known about it. */
export interface OpenDevice {
  readonly device: GPUDevice;
  /** Whether the backend made the device and destroys it. */
  readonly owned: boolean;
  readonly capabilities: Capabilities;
  /** The adapter's name. */
  readonly name: string;
  /** The adapter and the features in use: what measurements are remembered by. */
  readonly identity: TunedDevice;
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
  if (options.device) {
    return describeDevice(options.device, false, options, options.device.adapterInfo);
  }
  const adapter = await requestAdapter(options, wanted(subgroupMatrixFeature, options));
  const requiredFeatures = usefulFeatures.filter(
    (feature) => adapter.features.has(feature) && wanted(feature, options),
  ) as GPUFeatureName[];
  try {
    const device = await adapter.requestDevice({
      label: "heed",
      requiredFeatures,
      requiredLimits: Object.fromEntries(limitNames.map((name) => [name, adapter.limits[name]])),
    });
    // The adapter's information, not the device's: in version 0.6.2 of Dawn's package for Node, the
    // device's does not list subgroup matrices.
    return describeDevice(device, true, options, adapter.info);
  } catch (cause) {
    throw new BackendUnavailableError(
      `the adapter gives no device: ${messageOf(cause)}`,
      "the GPU may be in use or may just have been reset: load the backend again later",
      { cause },
    );
  }
}

function describeDevice(
  device: GPUDevice,
  owned: boolean,
  options: WebGpuOptions,
  info: AdapterInfo | undefined,
): OpenDevice {
  const may = (feature: (typeof usefulFeatures)[number]): boolean =>
    device.features.has(feature) && wanted(feature, options);
  const limits = Object.fromEntries(limitNames.map((name) => [name, device.limits[name]]));
  const software = isFallback(info);
  const capabilities: Capabilities = {
    limits: limits as Limits,
    float16: may("shader-f16"),
    subgroups: may("subgroups"),
    matrices: may(subgroupMatrixFeature)
      ? matricesOf(info?.subgroupMatrixConfigs ?? [], info?.subgroupMaxSize ?? 0)
      : null,
    software,
    slowCompiler: software && compilesSlowly(info),
  };
  const { matrices } = capabilities;
  const features = usefulFeatures.filter(
    (feature) => may(feature) && (feature !== subgroupMatrixFeature || matrices !== null),
  );
  return {
    device,
    owned,
    capabilities,
    name: adapterName(info),
    identity: {
      vendor: info?.vendor ?? "",
      architecture: info?.architecture ?? "",
      device: info?.device ?? "",
      description: info?.description ?? "",
      features,
    },
    features,
    notes: [
      ...(software
        ? [
            `a software adapter: the CPU imitates a GPU${owned ? " (allowFallbackAdapter: true)" : ""}`,
          ]
        : []),
      ...(options.batchInvariant
        ? ["batchInvariant: kernels that give a row the same bits whatever is computed beside it"]
        : []),
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
