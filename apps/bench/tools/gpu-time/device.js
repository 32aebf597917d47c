import { create } from "webgpu";
import { watch } from "../../dist/contenders/gpu-clock.js";

export const matrixFeature = "chromium-experimental-subgroup-matrix";
const useful = ["timestamp-query", "shader-f16", "subgroups", matrixFeature];

// Timestamps are rounded to 100 µs otherwise, and subgroup matrices hidden. Kept, since what `create`
// gives must not be collected.
const gpu = create([
  "disable-dawn-features=timestamp_quantization",
  "enable-dawn-features=allow_unsafe_apis",
]);

/** A device with everything that kernels use, and a clock that times its passes. */
export async function openDevice() {
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new Error("WebGPU finds no adapter");
  if (!adapter.features.has("timestamp-query")) {
    throw new Error(`the adapter ${adapter.info.description} has no timestamp-query`);
  }
  const { limits } = adapter;
  const device = await adapter.requestDevice({
    requiredFeatures: useful.filter((feature) => adapter.features.has(feature)),
    requiredLimits: {
      maxBufferSize: limits.maxBufferSize,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
    },
  });
  // The device's own has no sizes of matrices in webgpu 0.6.2.
  Object.defineProperty(device, "adapterInfo", { value: adapter.info });
  return { device, clock: watch(device) };
}
