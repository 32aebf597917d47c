/** Limits that decisions depend on, by their names in WebGPU. */
export const limitNames = [
  "maxStorageBufferBindingSize",
  "maxBufferSize",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupsPerDimension",
  "minStorageBufferOffsetAlignment",
  "minUniformBufferOffsetAlignment",
] as const;

export type Limits = Readonly<Record<(typeof limitNames)[number], number>>;

/** What kernels may use of a device: everything that {@link choose} knows of it. */
export interface Capabilities {
  readonly limits: Limits;
  /** shader-f16. */
  readonly float16: boolean;
  readonly subgroups: boolean;
  /** The adapter computes on the CPU. */
  readonly software: boolean;
}

/** What every device has, whatever it was requested with. */
export const floor: Capabilities = {
  limits: {
    maxStorageBufferBindingSize: 128 * 2 ** 20,
    maxBufferSize: 256 * 2 ** 20,
    maxComputeWorkgroupStorageSize: 16_384,
    maxComputeInvocationsPerWorkgroup: 256,
    maxComputeWorkgroupsPerDimension: 65_535,
    minStorageBufferOffsetAlignment: 256,
    minUniformBufferOffsetAlignment: 256,
  },
  float16: false,
  subgroups: false,
  software: false,
};
