import { type WebGpuBackend, webgpu } from "@heed/backend-webgpu";
import { judge } from "@heed/conformance";
import {
  type AttentionInputs,
  DeviceError,
  DeviceLostError,
  type DeviceTensor,
  DisposedError,
  describeProblem,
  type HostTensor,
  OutOfMemoryError,
} from "@heed/core";
import { BufferPool, Faults } from "@heed/gpu-memory";
import { describe, expect, test } from "vitest";
import { available } from "./available.js";
import { makeCall } from "./calls.js";
import { unrequestedDevice } from "./devices.js";

async function run(backend: WebGpuBackend, call: AttentionInputs<HostTensor>): Promise<HostTensor> {
  const plan = await backend.plan(describeProblem(call));
  const { output } = await plan.run(call);
  return output as HostTensor;
}

describe.skipIf(!available)("faults", () => {
  test("a device that is destroyed rejects what runs, and the provider loads again", async () => {
    const provider = webgpu({ allowFallbackAdapter: true });
    const backend = await provider.load();
    const call = makeCall({ lengths: [7, 20] });
    const plan = await backend.plan(describeProblem(call));
    const key = await backend.upload(call.key);
    await plan.run(call);
    const { output } = await plan.run({ ...call, key });
    const running = [plan.run(call), plan.run(call), (output as DeviceTensor).read()];
    const outcomes = Promise.allSettled(running);
    // In the middle of it: memory is there, and the work is being given to the device.
    await Promise.resolve();
    backend.device.destroy();
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: "rejected" });
      expect((outcome as PromiseRejectedResult).reason).toBeInstanceOf(DeviceLostError);
    }
    await expect(plan.run(call)).rejects.toThrow(DeviceLostError);
    await expect(backend.upload(call.key)).rejects.toThrow(DeviceLostError);
    await expect((output as DeviceTensor).read()).rejects.toThrow(DeviceLostError);
    plan.dispose();
    backend.dispose();
    const again = await provider.load();
    expect(judge(call, { output: await run(again, call) }).budgets).toBeLessThanOrEqual(1);
    again.dispose();
  });

  test("two devices at once", async () => {
    const backends = await Promise.all([
      webgpu({ allowFallbackAdapter: true }).load(),
      webgpu({ allowFallbackAdapter: true }).load(),
    ]);
    expect(backends[0]?.device).not.toBe(backends[1]?.device);
    const calls = [makeCall({ lengths: [5, 20] }), makeCall({ lengths: [6, 21] })];
    const outputs = await Promise.all(
      [0, 1, 0, 1].map((i) => run(backends[i] as WebGpuBackend, calls[i] as (typeof calls)[0])),
    );
    for (const [at, output] of outputs.entries()) {
      const verdict = judge(calls[at % 2] as (typeof calls)[0], { output });
      expect(verdict.budgets).toBeLessThanOrEqual(1);
    }
    for (const backend of backends) backend.dispose();
    await expect(run(backends[0] as WebGpuBackend, calls[0] as (typeof calls)[0])).rejects.toThrow(
      DisposedError,
    );
  });

  test("an application's device is left alone", async () => {
    const device = await unrequestedDevice();
    const backend = await webgpu({ device }).load();
    backend.dispose();
    const again = await webgpu({ device }).load();
    const call = makeCall({ lengths: [2, 3] });
    expect(judge(call, { output: await run(again, call) }).budgets).toBeLessThanOrEqual(1);
    again.dispose();
    device.destroy();
    expect((await device.lost).reason).toBe("destroyed");
  });

  test("what error scopes catch becomes a typed error with its cause", async () => {
    const device = await unrequestedDevice();
    const faults = Faults.of(device, "webgpu");
    const { accepted } = faults.watch("a wrong buffer", () =>
      // MAP_READ goes with COPY_DST alone.
      device.createBuffer({ size: 16, usage: 0x1 | 0x80 }),
    );
    const error: unknown = await accepted.catch((reason) => reason);
    expect(error).toBeInstanceOf(DeviceError);
    expect((error as Error).message).toMatch(/^webgpu: a wrong buffer failed: /);
    expect((error as Error).cause).toHaveProperty("message");
    const pool = new BufferPool(device, "webgpu", faults);
    await expect(pool.acquire(device.limits.maxBufferSize + 1, 0x80)).rejects.toThrow(
      OutOfMemoryError,
    );
    device.destroy();
  });

  test("buffers are used again, bounded, and destroyed with the pool", async () => {
    const device = await unrequestedDevice();
    const pool = new BufferPool(device, "webgpu", Faults.of(device, "webgpu"), 3500);
    const first = await pool.acquire(1000, 0x80);
    const second = await pool.acquire(1000, 0x80);
    expect(first.buffer).not.toBe(second.buffer);
    pool.release(first);
    expect((await pool.acquire(700, 0x80)).buffer).not.toBe(first.buffer);
    expect((await pool.acquire(1020, 0x80)).buffer).toBe(first.buffer);
    pool.release(first);
    pool.release(second);
    const large = await pool.acquire(2000, 0x80);
    const held = pool.bytes;
    pool.release(large);
    // Over the bound, the one that has waited longest went.
    expect(pool.bytes).toBe(held - 1024);
    expect((await pool.acquire(1000, 0x80)).buffer).toBe(second.buffer);
    pool.dispose();
    const after = await pool.acquire(10, 0x80);
    pool.release(after);
    expect((await pool.acquire(10, 0x80)).buffer).not.toBe(after.buffer);
    device.destroy();
  });
});
