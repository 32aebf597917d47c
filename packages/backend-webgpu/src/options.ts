import { InvalidInputError } from "@heed/core";
import { type KernelName, kernelNames } from "./attention/kernel-names.js";
import type { TuningTable } from "./attention/tuning/table.js";

/** GPU features that the backend may use where the adapter has them. */
export interface WebGpuFeatures {
  /** float16 without a detour. Default true. */
  readonly "shader-f16"?: boolean | undefined;
  /** Default true. */
  readonly subgroups?: boolean | undefined;
  /**
   * Matrices that subgroups multiply, for float16: an experiment of browsers and of Dawn. Chrome has it
   * behind `--enable-unsafe-webgpu`; in Node this option allows it. Default false.
   */
  readonly "chromium-experimental-subgroup-matrix"?: boolean | undefined;
}

export interface WebGpuOptions {
  /**
   * An application's own device. It stays the application's: it is never destroyed here, and has the
   * features and limits that it was requested with. Default: one of the backend's own, with what the
   * adapter offers.
   */
  readonly device?: GPUDevice | undefined;
  /** Preference between two adapters, as WebGPU has it. */
  readonly powerPreference?: "low-power" | "high-performance" | undefined;
  /**
   * Whether a fallback adapter, which imitates a GPU on the CPU, will do. Default false: such an
   * adapter is refused, since the backends wasm and js are faster on a CPU. A `device` is not refused.
   */
  readonly allowFallbackAdapter?: boolean | undefined;
  /** Features not to use, as `false`, and experimental ones to use, as `true`. */
  readonly features?: WebGpuFeatures | undefined;
  /** One kernel for everything that it can compute, to compare kernels. Default: chosen by problem. */
  readonly kernel?: KernelName | undefined;
  /**
   * Whether a row of the output has the same bits whatever other rows, heads and batches are computed
   * beside it, as long as a head's keys fit into one binding. Costs speed where rows are few, since keys
   * are then not split over workgroups. Default false.
   */
  readonly batchInvariant?: boolean | undefined;
  /**
   * Measurements of this device, or of several: `info.tuning` of an earlier backend, also after it went
   * through JSON. A table that is damaged, or of another device, is ignored, and `info.notes` says why.
   */
  readonly tuning?: TuningTable | readonly TuningTable[] | null | undefined;
}

/** The name of the feature, which is not in the standard. */
export const subgroupMatrixFeature = "chromium-experimental-subgroup-matrix";

const known: Readonly<Record<keyof WebGpuOptions, readonly string[]>> = {
  device: [],
  powerPreference: [],
  allowFallbackAdapter: [],
  batchInvariant: [],
  tuning: [],
  features: ["shader-f16", "subgroups", subgroupMatrixFeature],
  kernel: kernelNames,
};

/** @throws InvalidInputError naming the option */
export function checkOptions(options: WebGpuOptions): void {
  checkNames("options", options, Object.keys(known));
  const { device, powerPreference, features, kernel } = options;
  for (const name of ["allowFallbackAdapter", "batchInvariant"] as const) {
    checkBoolean(name, options[name]);
  }
  if (device !== undefined && typeof device?.createComputePipelineAsync !== "function") {
    throw new InvalidInputError("device", "a GPUDevice", typeof device);
  }
  if (
    powerPreference !== undefined &&
    powerPreference !== "low-power" &&
    powerPreference !== "high-performance"
  ) {
    throw new InvalidInputError(
      "powerPreference",
      '"low-power" or "high-performance"',
      String(powerPreference),
    );
  }
  if (kernel !== undefined && !kernelNames.includes(kernel)) {
    throw new InvalidInputError("kernel", `one of ${kernelNames.join(", ")}`, String(kernel));
  }
  if (kernel !== undefined && options.batchInvariant === true) {
    throw new InvalidInputError("kernel", "no kernel beside batchInvariant", String(kernel));
  }
  if (features === undefined) return;
  checkNames("features", features, known.features);
  for (const [name, value] of Object.entries(features)) {
    checkBoolean(`features.${name}`, value);
  }
}

function checkBoolean(argument: string, value: unknown): void {
  if (value !== undefined && typeof value !== "boolean") {
    throw new InvalidInputError(argument, "a boolean", String(value));
  }
}

function checkNames(argument: string, value: unknown, names: readonly string[]): void {
  if (typeof value !== "object" || value === null) {
    throw new InvalidInputError(argument, "an object", String(value));
  }
  for (const name of Object.keys(value)) {
    if (!names.includes(name)) {
      throw new InvalidInputError(
        `${argument}.${name}`,
        `only ${names.join(", ")}`,
        JSON.stringify(name),
      );
    }
  }
}
