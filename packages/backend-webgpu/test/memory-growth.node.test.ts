/** The heap over many small calls: nothing that lives long may collect something of each. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type WebGpuBackend, webgpu } from "@heed/backend-webgpu";
import { type DeviceTensor, describeProblem } from "@heed/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { available } from "./available.js";
import { makeCall } from "./calls.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

async function heapBytes(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    collect();
  }
  return process.memoryUsage().heapUsed;
}

describe.skipIf(!available)("memory", () => {
  let backend: WebGpuBackend;
  beforeAll(async () => {
    backend = await webgpu({ allowFallbackAdapter: true }).load();
  });
  afterAll(() => backend.dispose());

  test("a run, a read and an upload leave less than 150 bytes of heap behind", async () => {
    const call = makeCall({ lengths: [1, 3], sizes: [4, 4] });
    const plan = await backend.plan(describeProblem(call));
    const step = async (): Promise<void> => {
      await plan.run(call);
      const key = await backend.upload(call.key);
      const { output } = await plan.run({ ...call, key });
      await (output as DeviceTensor).read();
      (output as DeviceTensor).dispose();
      key.dispose();
    };
    for (let i = 0; i < 500; i++) await step();
    // The engine goes on optimizing for thousands of steps, which takes memory once; a leak takes some in
    // every part.
    const steps = 400;
    const growth: number[] = [];
    let before = await heapBytes();
    for (let part = 0; part < 5; part++) {
      for (let i = 0; i < steps; i++) await step();
      const after = await heapBytes();
      growth.push((after - before) / steps);
      before = after;
    }
    expect(growth.sort((a, b) => a - b)[2]).toBeLessThan(150);
    plan.dispose();
  });
});
