/**
 * Limits of onnxruntime for which the backend refuses problems. Each test fails when a version of it can do the
 * thing: the refusal can then go.
 */
import { onnx } from "@heed/backend-onnx";
import { describeProblem, type HostTensor, tensor } from "@heed/core";
import { beforeAll, expect, test } from "vitest";
import { GraphBuilder } from "../src/model/builder.js";
import { importRuntime } from "../src/runtime/import.js";
import type { Runtime, RuntimeDType, RuntimeTensor } from "../src/runtime/runtime.js";
import { createSession } from "./create-session.js";

/** 1 + 1 on webgpu. */
async function sum(gpu: Runtime, dtype: "float32" | "float64"): Promise<RuntimeTensor | undefined> {
  const g = new GraphBuilder(18);
  const x = g.input("x", dtype, [1]);
  g.output("y", g.op("Add", [x, x]), dtype, [1]);
  const session = await createSession(gpu, "webgpu", g);
  const ones = dtype === "float32" ? Float32Array.of(1) : Float64Array.of(1);
  return (await session.run({ x: new gpu.Tensor(dtype as RuntimeDType, ones, [1]) })).y;
}

let gpu: Runtime;
let unavailable = "";
beforeAll(async () => {
  gpu = await importRuntime("webgpu");
  await sum(gpu, "float32").catch((error: unknown) => {
    unavailable = String(error);
  });
});

test("webgpu: no kernel takes float64", async ({ skip }) => {
  if (unavailable) skip(`unavailable: ${unavailable}`);
  expect((await sum(gpu, "float32"))?.data).toEqual(Float32Array.of(2));
  await expect(sum(gpu, "float64")).rejects.toThrow(/CPU EP|fallback/i);
});

test("wasm: memory ends at 4 GiB", async () => {
  const runtime = await importRuntime("wasm");
  const g = new GraphBuilder(18);
  const [x, dims] = [g.input("x", "float32", [1]), g.input("dims", "int64", [1])];
  const largest = g.reduce("ReduceMax", g.op("Expand", [x, dims]), 0);
  g.output("y", largest, "float32", [1]);
  const session = await createSession(runtime, "wasm", g);
  const run = (count: bigint) =>
    session.run({
      x: new runtime.Tensor("float32", Float32Array.of(1), [1]),
      dims: new runtime.Tensor("int64" as RuntimeDType, BigInt64Array.of(count), [1]),
    });
  expect((await run(8n)).y?.data).toEqual(Float32Array.of(1));
  // A 32-bit size does not hold its number of bytes.
  await expect(run(2n ** 30n)).rejects.toThrow(/overflow|alloc|memory/i);
  await session.release();
});

test("wasm: the operator Attention counts a head's operations in 32 bits, and another graph does without", async () => {
  const [length, size] = [1024, 1024];
  const runtime = await importRuntime("wasm");
  const g = new GraphBuilder(23);
  const dims = [1, 1, "rows", size];
  const inputs = ["query", "key", "value"].map((name) => g.input(name, "float32", dims));
  g.output("output", g.op("Attention", inputs), "float32", dims);
  const session = await createSession(runtime, "wasm", g);
  const ones = (rows: number) => new Float32Array(rows * size).fill(1);
  const of = (rows: number) => new runtime.Tensor("float32", ones(rows), [1, 1, rows, size]);
  const run = (rows: number) => session.run({ query: of(rows), key: of(rows), value: of(rows) });
  const few = (await run(8)).output as RuntimeTensor;
  expect((few.data as Float32Array)[0]).toBeCloseTo(1);
  // 2 · size · rows · keys is 2³¹.
  await expect(run(length)).rejects.toThrow(/overflow/i);
  await session.release();

  const backend = await onnx({ provider: "wasm", threads: 1 }).load();
  const t = tensor(ones(length), [1, 1, length, size]);
  const call = { query: t, key: t, value: t };
  const plan = await backend.plan(describeProblem(call));
  const { output } = await plan.run(call);
  const elements = (output as HostTensor<"float32">).data;
  expect(elements.every((x) => Math.abs(x - 1) < 1e-4)).toBe(true);
  await backend.dispose();
});
