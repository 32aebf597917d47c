import { expect, test } from "vitest";
import { backendByName } from "../src/contenders/backends.js";
import { type GpuClock, openGpuClock } from "../src/contenders/gpu-clock.js";
import { runBenchmark } from "../src/measure/run-benchmark.js";
import { customWorkload } from "../src/workloads/generated.js";
import { parseShape } from "../src/workloads/shape.js";
import { environment } from "./contenders.js";

const required = (import.meta.env.HEED_REQUIRE ?? "").split(",").includes("webgpu");
const clock = await openGpuClock();
if (required && !clock) throw new Error("no adapter with timestamps");

/** A pass that fills a buffer. */
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
  const buffer = device.createBuffer({ size: 4096 * 4, usage: GPUBufferUsage.STORAGE });
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
  const own = (await openGpuClock()) as GpuClock;
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
  expect(result.deviceTiming?.count).toBe(3);
  expect(result.deviceTiming?.median).toBeLessThanOrEqual(result.timing.max);
});
