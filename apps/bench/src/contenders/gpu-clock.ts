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

/** A clock, or why there is none. */
export type ClockSearch = { readonly clock: GpuClock } | { readonly missing: string };

/** Most encoders with passes, and most passes of each, that are timed between two readings. */
const mostEncoders = 16;
const mostPasses = 64;
/** Bytes of one encoder's timestamps; a multiple of 256, as `resolveQuerySet` demands of offsets. */
const bytesEach = mostPasses * 2 * 8;

/** Members of GPUBufferUsage and GPUMapMode, which Node has no globals for. */
const usage = { mapRead: 0x1, copySource: 0x4, copyDestination: 0x8, queryResolve: 0x200 } as const;
const readMode = 0x1;

/** A device of the default adapter with everything that it offers, timestamps included. */
export async function openGpuClock(): Promise<ClockSearch> {
  const adapter = await (await findGpu())?.requestAdapter();
  if (!adapter) return { missing: "there is no adapter" };
  if (!adapter.features.has("timestamp-query")) {
    return { missing: "the adapter has no timestamp-query" };
  }
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
  return { clock: watch(device) };
}

/**
 * Alters an adapter, so that a library that is given it has its device timed.
 *
 * @param onDevice is given the clock of each device that the library requests
 */
export function watchAdapter(adapter: GPUAdapter, onDevice: (clock: GpuClock) => void): void {
  const requestDevice = adapter.requestDevice.bind(adapter);
  adapter.requestDevice = async (descriptor) => {
    const requiredFeatures = new Set([...(descriptor?.requiredFeatures ?? []), "timestamp-query"]);
    const device = await requestDevice({
      ...descriptor,
      requiredFeatures: [...requiredFeatures] as GPUFeatureName[],
    });
    onDevice(watch(device));
    return device;
  };
}

/** The GPU object of Node's package, kept: once it is collected, Dawn ends the process at the next call. */
let created: Promise<GPU | null> | null = null;

/** This runtime's GPU object; null where there is none, which the contenders then report themselves. */
async function findGpu(): Promise<GPU | null> {
  const { navigator, process } = globalThis as {
    navigator?: { gpu?: GPU };
    process?: { versions?: { node?: string } };
  };
  if (navigator?.gpu || process?.versions?.node === undefined) return navigator?.gpu ?? null;
  // Through a variable, as a page's bundler has no use for native code.
  const specifier = "webgpu";
  created ??= import(/* @vite-ignore */ specifier).then(
    // Timestamps are rounded to 100 µs otherwise, against pages that spy, of which there are none.
    ({ create }: { create(options: readonly string[]): GPU }) =>
      create(["disable-dawn-features=timestamp_quantization"]),
    () => null,
  );
  return created;
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
    usage: usage.queryResolve | usage.copySource,
  });
  const readable = device.createBuffer({
    size,
    usage: usage.mapRead | usage.copyDestination,
  });
  /** Passes of each encoder that has finished since the last reading. */
  let passes: number[] = [];
  let encoders = 0;
  let tooMany = false;
  const createCommandEncoder = device.createCommandEncoder.bind(device);
  device.createCommandEncoder = (descriptor) => {
    const encoder = createCommandEncoder(descriptor);
    // A slot is taken with the first compute pass: encoders that only copy need none.
    let slot = -1;
    let begun = 0;
    const beginComputePass = encoder.beginComputePass.bind(encoder);
    encoder.beginComputePass = (pass) => {
      if (slot < 0) slot = encoders++;
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
      // Calls whose outputs stay on the device are submitted at the end of the turn in which they are made.
      await new Promise((resolve) => setTimeout(resolve));
      const recorded = passes;
      const known = !tooMany && recorded.length > 0;
      passes = [];
      encoders = 0;
      tooMany = false;
      if (!known) return null;
      await readable.mapAsync(readMode);
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
