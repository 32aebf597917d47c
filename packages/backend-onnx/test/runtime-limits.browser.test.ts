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
