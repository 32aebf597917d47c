import { expect, test } from "vitest";
import { backendByName } from "../src/contenders/backends.js";
import { type GpuClock, openGpuClock, watchAdapter } from "../src/contenders/gpu-clock.js";
import { runBenchmark } from "../src/measure/run-benchmark.js";
import { customWorkload } from "../src/workloads/generated.js";
import { parseShape } from "../src/workloads/shape.js";
import { environment } from "./contenders.js";

const required = (import.meta.env.HEED_REQUIRE ?? "").split(",").includes("webgpu");
const found = await openGpuClock();
if (required && "missing" in found) throw new Error(found.missing);
const clock = "clock" in found ? found.clock : null;
const storage = 0x80;

/** One of its own. */
async function open(): Promise<GpuClock> {
  const another = await openGpuClock();
  if ("missing" in another) throw new Error(another.missing);
  return another.clock;
}

/** Passes that fill a buffer. */
function record({ device }: GpuClock, passes: number): void {
  const code = `
    @group(0) @binding(0) var<storage, read_write> out: array<f32>;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
      var x = f32(id.x);
      for (var i = 0; i < 1000; i++) { x = x * 0.5 + 1.0; }
      out[id.x] = x;
    }`;
  const pipeline = device.createComputePipeline({
    layout: "auto",
    compute: { module: device.createShaderModule({ code }) },
  });
  const buffer = device.createBuffer({ size: 4096 * 4, usage: storage });
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [{ binding: 0, resource: { buffer } }],
  });
  const encoder = device.createCommandEncoder();
  for (let i = 0; i < passes; i++) {
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(64);
    pass.end();
  }
  device.queue.submit([encoder.finish()]);
}

test.runIf(clock)("passes are timed without their recorder knowing", async () => {
  const own = await open();
  expect(await own.read()).toBeNull();
  const problems: string[] = [];
  own.device.onuncapturederror = ({ error }) => problems.push(error.message);
  record(own, 2);
  record(own, 1);
  expect(await own.read()).toBeGreaterThanOrEqual(0);
  expect(await own.read()).toBeNull();
  // More than there is room for is not timed, rather than in part.
  record(own, 65);
  expect(await own.read()).toBeNull();
  record(own, 64);
  expect(await own.read()).not.toBeNull();
  // Encoders that only copy leave room for those that compute.
  for (let i = 0; i < 20; i++) own.device.createCommandEncoder().finish();
  record(own, 1);
  expect(await own.read()).not.toBeNull();
  await own.device.queue.onSubmittedWorkDone();
  expect(problems).toEqual([]);
  own.dispose();
});

test.runIf(clock)("the webgpu backend's kernels have times of their own", async () => {
  const report = await runBenchmark({
    workloads: [customWorkload(parseShape("H2,L64,D16"))],
    contenders: [backendByName("webgpu", { threads: 1 })],
    environment,
    dtype: "float32",
    threads: 1,
    budget: 5,
    samples: 3,
  });
  const result = report.cases[0]?.results[0];
  if (result?.status !== "measured") throw new Error(JSON.stringify(result));
  expect(result.clock).toBe("gpu timestamps");
  expect(result.launches[0]?.device).toHaveLength(3);
  expect(report.contenders[0]?.info?.notes?.join()).toContain("timed by GPU timestamps");
  expect(result.deviceTiming?.count).toBe(3);
  expect(result.deviceTiming?.median).toBeGreaterThan(0);
  expect(result.deviceTiming?.median).toBeLessThanOrEqual(result.timing.max);
});

test("a library that is given an adapter has its device timed", async () => {
  const requested: GPUDeviceDescriptor[] = [];
  const device = { ...fakeDevice(), label: "theirs" } as unknown as GPUDevice;
  const adapter = {
    requestDevice: async (descriptor: GPUDeviceDescriptor) => {
      requested.push(descriptor);
      return device;
    },
  } as unknown as GPUAdapter;
  const clocks: GpuClock[] = [];
  watchAdapter(adapter, (watched) => clocks.push(watched));
  const given = await adapter.requestDevice({ label: "x", requiredFeatures: ["shader-f16"] });
  expect(given).toBe(device);
  expect(requested).toEqual([{ label: "x", requiredFeatures: ["shader-f16", "timestamp-query"] }]);
  expect(clocks.map((watched) => watched.device)).toEqual([device]);
});

/** As much of a device as is touched before anything is computed. */
function fakeDevice() {
  return { createQuerySet: () => ({}), createBuffer: () => ({}), createCommandEncoder: () => ({}) };
}
