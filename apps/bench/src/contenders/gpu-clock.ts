/**
 * Times what a WebGPU device computes by its own timestamps. It hands out the device with its command
 * encoders altered, so that whoever records with them has each compute pass timed without knowing.
 */
export interface GpuClock {
  readonly device: GPUDevice;
  /**
   * Waits for what was recorded since the last time.
   *
   * @returns ms that its compute passes took, together; null where there was none, or too many to time
   */
  read(): Promise<number | null>;
  dispose(): void;
}

/** Encoders, and passes of each, between two readings. */
const mostEncoders = 16;
const mostPasses = 64;
/** Of one encoder; a multiple of 256, as resolving wants. */
const bytesEach = mostPasses * 2 * 8;

/**
 * A device of the browser's adapter with everything that it offers, timestamps included.
 *
 * @returns null where there is no adapter, or it has no timestamps
 */
export async function openGpuClock(): Promise<GpuClock | null> {
  const gpu = (globalThis.navigator as Navigator | undefined)?.gpu;
  const adapter = await gpu?.requestAdapter();
  if (!adapter?.features.has("timestamp-query")) return null;
  const useful = ["timestamp-query", "shader-f16", "subgroups"] as const;
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  const device = await adapter.requestDevice({
    requiredFeatures: useful.filter((feature) => adapter.features.has(feature)),
    requiredLimits: {
      maxBufferSize,
      maxStorageBufferBindingSize,
      maxStorageBuffersPerShaderStage: adapter.limits.maxStorageBuffersPerShaderStage,
      maxComputeWorkgroupStorageSize: adapter.limits.maxComputeWorkgroupStorageSize,
      maxComputeInvocationsPerWorkgroup: adapter.limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupSizeX: adapter.limits.maxComputeWorkgroupSizeX,
      maxComputeWorkgroupSizeY: adapter.limits.maxComputeWorkgroupSizeY,
      maxComputeWorkgroupSizeZ: adapter.limits.maxComputeWorkgroupSizeZ,
      maxComputeWorkgroupsPerDimension: adapter.limits.maxComputeWorkgroupsPerDimension,
    },
  });
  return watch(device);
}

/** @param device with the feature timestamp-query; it belongs to the clock from here on */
export function watch(device: GPUDevice): GpuClock {
  const queries = device.createQuerySet({
    type: "timestamp",
    count: 2 * mostPasses * mostEncoders,
  });
  const size = bytesEach * mostEncoders;
  const resolved = device.createBuffer({
    size,
    usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
  });
  const readable = device.createBuffer({
    size,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  /** Passes of each encoder that has finished since the last reading. */
  let passes: number[] = [];
  let encoders = 0;
  let tooMany = false;
  const createCommandEncoder = device.createCommandEncoder.bind(device);
  device.createCommandEncoder = (descriptor) => {
    const encoder = createCommandEncoder(descriptor);
    const slot = encoders++;
    let begun = 0;
    const beginComputePass = encoder.beginComputePass.bind(encoder);
    encoder.beginComputePass = (pass) => {
      if (slot >= mostEncoders || begun >= mostPasses) {
        tooMany = true;
        return beginComputePass(pass);
      }
      const at = 2 * (slot * mostPasses + begun++);
      return beginComputePass({
        ...pass,
        timestampWrites: {
          querySet: queries,
          beginningOfPassWriteIndex: at,
          endOfPassWriteIndex: at + 1,
        },
      });
    };
    const finish = encoder.finish.bind(encoder);
    encoder.finish = (buffer) => {
      if (begun > 0) {
        const offset = slot * bytesEach;
        encoder.resolveQuerySet(queries, 2 * slot * mostPasses, 2 * begun, resolved, offset);
        encoder.copyBufferToBuffer(resolved, offset, readable, offset, 16 * begun);
        passes[slot] = begun;
      }
      return finish(buffer);
    };
    return encoder;
  };
  return {
    device,
    read: async () => {
      const recorded = passes;
      const known = !tooMany && recorded.length > 0;
      passes = [];
      encoders = 0;
      tooMany = false;
      if (!known) return null;
      await readable.mapAsync(GPUMapMode.READ);
      const times = new BigUint64Array(readable.getMappedRange());
      let nanoseconds = 0n;
      for (const [slot, count = 0] of recorded.entries()) {
        for (let pass = 0; pass < count; pass++) {
          const at = slot * mostPasses * 2 + 2 * pass;
          nanoseconds += (times[at + 1] ?? 0n) - (times[at] ?? 0n);
        }
      }
      readable.unmap();
      return Number(nanoseconds) / 1e6;
    },
    dispose: () => device.destroy(),
  };
}
