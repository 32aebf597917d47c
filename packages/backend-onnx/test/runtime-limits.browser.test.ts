/**
 * Limits of onnxruntime in browsers; see runtime-limits.node.test.ts for the rest.
 */
import { type OnnxRuntime, onnx } from "@heed/backend-onnx";
import { expect, test } from "vitest";
import { GraphBuilder } from "../src/model/builder.js";
import { importRuntime } from "../src/runtime/import.js";
import { createSession } from "./create-session.js";

test("wasm: env.wasm.proxy takes the caller's arrays away", async () => {
  const runtime = await importRuntime("wasm");
  const env = { ...runtime.env, wasm: { ...runtime.env.wasm, proxy: true } };
  const proxied = { ...runtime, env } as unknown as OnnxRuntime;
  await expect(onnx({ provider: "wasm", runtime: proxied }).load()).rejects.toThrow(
    /env.wasm.proxy/,
  );
});

test("webgpu: a softmax over more than one binding leaves rows out, without an error", async ({
  skip,
}) => {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) return skip("no WebGPU adapter here");
  // Nothing is requested, so its bindings hold 128 MiB.
  const device = await adapter.requestDevice();
  const runtime = await importRuntime("webgpu");
  const g = new GraphBuilder(18);
  const logits = g.input("logits", "float32", ["queries", "keys"]);
  const weights = g.op("Softmax", [logits], { axis: -1 });
  g.output("sums", g.reduce("ReduceSum", weights), "float32", ["queries", 1]);
  const session = await createSession(runtime, "webgpu", g, device);
  /** The least sum of a row's weights: 1, but for rounding. */
  const leastSum = async (length: number): Promise<number> => {
    const logits = new runtime.Tensor("float32", new Float32Array(length ** 2), [length, length]);
    const { sums } = await session.run({ logits });
    return Math.min(...Array.from(sums?.data as Float32Array));
  };
  const binding = device.limits.maxStorageBufferBindingSize;
  const [within, beyond] = [5760, 5952];
  expect(4 * within ** 2).toBeLessThan(binding);
  expect(4 * beyond ** 2).toBeGreaterThan(binding);
  expect(await leastSum(within)).toBeCloseTo(1, 4);
  expect(await leastSum(beyond)).toBe(0);
  await session.release();
  device.destroy();
});

test("webgpu: int8 is converted, but neither gathered nor sliced, and wrapped as uint8 alone", async ({
  skip,
}) => {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) return skip("no WebGPU adapter here");
  const device = await adapter.requestDevice();
  const runtime = await importRuntime("webgpu");
  const run = async (of: (g: GraphBuilder, x: string) => string): Promise<unknown> => {
    const g = new GraphBuilder(21);
    const x = g.input("x", "int8", [2, 4]);
    const scales = g.input("scales", "float32", ["rows", 1]);
    const converted = g.op("DequantizeLinear", [of(g, x), scales], { axis: -1, block_size: 4 });
    g.output("y", converted, "float32", ["rows", 4]);
    const session = await createSession(runtime, "webgpu", g, device);
    const feeds = {
      x: new runtime.Tensor("int8", Int8Array.of(1, -2, 3, -4, 5, 6, -7, 8), [2, 4]),
      scales: new runtime.Tensor("float32", Float32Array.of(2, 3), [2, 1]),
    };
    return (await session.run(feeds).finally(() => session.release())).y?.data;
  };
  expect(await run((_, x) => x)).toEqual(Float32Array.of(2, -4, 6, -8, 15, 18, -21, 24));
  const rows = (g: GraphBuilder): string => g.integers(1, 0);
  await expect(run((g, x) => g.op("Gather", [x, rows(g)], { axis: 0 }))).rejects.toThrow();
  const slice = [0, 2, 0] as const;
  await expect(
    run((g, x) => g.op("Slice", [x, ...slice.map((at) => g.integers(at))])),
  ).rejects.toThrow();
  const buffer = device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE });
  expect(() => runtime.Tensor.fromGpuBuffer?.(buffer, { dataType: "int8", dims: [2, 4] })).toThrow(
    /unsupported type/,
  );
  device.destroy();
});
