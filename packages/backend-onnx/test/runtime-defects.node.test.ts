/**
 * Reproduces the defects of onnxruntime that are worked around. Each test fails when a version gets the
 * thing right: the workaround can then go.
 */
import { beforeAll, expect, test } from "vitest";
import { GraphBuilder } from "../src/model/builder.js";
import { importRuntime } from "../src/runtime/import.js";
import type { Runtime, RuntimeDType } from "../src/runtime/runtime.js";
import { createSession } from "./create-session.js";

const count = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

test.each(["wasm", "cpu"] as const)(
  "%s: a float64 product with a scalar is scaled in float32 once it is fused into a MatMul",
  async (provider) => {
    const runtime = await importRuntime(provider);
    const scale = 1 / Math.sqrt(59);
    const g = new GraphBuilder(18);
    const a = g.input("a", "float64", [1, 2]);
    const b = g.input("b", "float64", [2, 1]);
    const scaled = g.op("Mul", [a, g.scalar("float64", scale)]);
    g.output("y", g.op("MatMul", [scaled, b]), "float64", [1, 1]);
    const session = await createSession(runtime, provider, g);
    const { y } = await session.run({
      a: new runtime.Tensor("float64", Float64Array.of(1, 0), [1, 2]),
      b: new runtime.Tensor("float64", Float64Array.of(1, 0), [2, 1]),
    });
    await session.release();
    expect(y?.data).toEqual(Float64Array.of(Math.fround(scale)));
  },
);

test.each(["wasm", "cpu"] as const)(
  "%s: a reduction leaves the shape of an empty tensor as it was",
  async (provider) => {
    const runtime = await importRuntime(provider);
    const g = new GraphBuilder(18);
    const x = g.input("x", "float32", ["rows", "columns"]);
    g.output("y", g.reduce("ReduceSum", x), "float32", ["rows", "one"]);
    const session = await createSession(runtime, provider, g);
    const reduced = async (dims: readonly number[]) => {
      const ones = new Float32Array(count(dims)).fill(1);
      return (await session.run({ x: new runtime.Tensor("float32", ones, dims) })).y?.dims;
    };
    expect(await reduced([2, 3])).toEqual([2, 1]);
    // ONNX says [2, 1] and [0, 1].
    expect(await reduced([2, 0])).toEqual([2, 0]);
    expect(await reduced([0, 3])).toEqual([0, 3]);
    await session.release();
  },
);

test.each(["wasm", "cpu"] as const)(
  "%s: And combines the bits of bytes, so that 2 and 1, both true, are false",
  async (provider) => {
    const runtime = await importRuntime(provider);
    const g = new GraphBuilder(18);
    const [a, b] = [g.input("a", "bool", [2]), g.input("b", "bool", [2])];
    g.output("y", g.op("And", [a, b]), "bool", [2]);
    const session = await createSession(runtime, provider, g);
    const bytes = (value: number) => new runtime.Tensor("bool", Uint8Array.of(value, value), [2]);
    const and = async (x: number, y: number) => {
      const result = await session.run({ a: bytes(x), b: bytes(y) });
      return Array.from(result.y?.data as Uint8Array);
    };
    expect(await and(1, 1)).toEqual([1, 1]);
    expect(await and(2, 1)).toEqual([0, 0]);
    await session.release();
  },
);

test.each(["wasm", "cpu"] as const)(
  "%s: a product with 1 / x becomes a quotient by x, of integers too",
  async (provider) => {
    const runtime = await importRuntime(provider);
    const g = new GraphBuilder(18);
    const [x, y] = [g.input("x", "int32", [3]), g.input("y", "int32", [3])];
    const one = g.constant("int32", [1], [1]);
    g.output("z", g.op("Mul", [g.op("Div", [one, x]), y]), "int32", [3]);
    const session = await createSession(runtime, provider, g);
    const { z } = await session.run({
      x: new runtime.Tensor("int32", Int32Array.of(5, -1, 1), [3]),
      y: new runtime.Tensor("int32", Int32Array.of(5, 3, 4), [3]),
    });
    await session.release();
    // ⌊1 / 5⌋ · 5 is 0.
    expect(z?.data).toEqual(Int32Array.of(1, -3, 4));
  },
);

test.each(["wasm", "cpu"] as const)("%s: a maximum may leave NaN out", async (provider) => {
  const runtime = await importRuntime(provider);
  const g = new GraphBuilder(18);
  const x = g.input("x", "float32", ["size"]);
  g.output("y", g.reduce("ReduceMax", x, 0), "float32", [1]);
  const session = await createSession(runtime, provider, g);
  const largest = async (values: readonly number[]) => {
    const given = new runtime.Tensor("float32", Float32Array.from(values), [values.length]);
    return Array.from((await session.run({ x: given })).y?.data as Float32Array);
  };
  expect(await largest([0, 1])).toEqual([1]);
  expect([await largest([0, Number.NaN]), await largest([Number.NaN, 0])]).toContainEqual([0]);
  await session.release();
});

let gpu: Runtime;
let unavailable = "";
beforeAll(async () => {
  gpu = await importRuntime("webgpu");
  await ones("Add", "float32", [1], [1]).catch((error: unknown) => {
    unavailable = String(error);
  });
});

/** An operator of two tensors of ones on webgpu, as float32. The session is kept: so are its shaders. */
async function ones(
  operator: string,
  dtype: "bool" | "float32",
  aDims: readonly number[],
  bDims: readonly number[],
): Promise<number[]> {
  const g = new GraphBuilder(18);
  const [a, b] = [g.input("a", dtype, aDims), g.input("b", dtype, bDims)];
  const dims = aDims.map((size, axis) => Math.max(size, bDims[axis] as number));
  g.output("y", g.cast(g.op(operator, [a, b]), dtype, "float32"), "float32", dims);
  const session = await createSession(gpu, "webgpu", g);
  const tensorOf = (size: readonly number[]) => {
    const data = dtype === "bool" ? new Uint8Array(count(size)) : new Float32Array(count(size));
    return new gpu.Tensor(dtype as RuntimeDType, data.fill(1), size);
  };
  const { y } = await session.run({ a: tensorOf(aDims), b: tensorOf(bDims) });
  return Array.from(y?.data as Float32Array);
}

test("webgpu: And takes the shader of other operands", async ({ skip }) => {
  if (unavailable) skip(`unavailable: ${unavailable}`);
  expect(await ones("And", "bool", [1, 8], [1, 1])).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
  expect(await ones("And", "bool", [1, 1], [1, 8])).toEqual([1, 0, 0, 0, 1, 0, 0, 0]);
});

test.runIf("Float16Array" in globalThis)(
  "cpu: the length of a Float16Array is taken for 0, where the engine has that class",
  async () => {
    const runtime = await importRuntime("cpu");
    const g = new GraphBuilder(18);
    const x = g.input("x", "float16", [1]);
    g.output("y", g.op("Add", [x, x]), "float16", [1]);
    const session = await createSession(runtime, "cpu", g);
    const one = new runtime.Tensor("float16", Uint16Array.of(0x3c00), [1]);
    await expect(session.run({ x: one })).rejects.toThrow("not enough space");
    await session.release();
  },
);

test("cpu: a tensor that a run is given for an output is written into, and a copy of it returned", async () => {
  const runtime = await importRuntime("cpu");
  const g = new GraphBuilder(18);
  const x = g.input("x", "float32", [2]);
  g.output("y", g.op("Add", [x, x]), "float32", [2]);
  const session = await createSession(runtime, "cpu", g);
  const tensor = (...data: number[]) =>
    new runtime.Tensor("float32", Float32Array.from(data), [data.length]);
  const given = tensor(0, 0);
  const { y } = await session.run({ x: tensor(1, 2) }, { y: given });
  await session.release();
  const written = Float32Array.of(2, 4);
  expect([given.data, y?.data]).toEqual([written, written]);
  (given.data as Float32Array).fill(0);
  expect(y?.data).toEqual(written);
});

test.each(["wasm", "cpu"] as const)(
  "%s: a Transpose is moved behind DequantizeLinear, whose scales of blocks stay as they were",
  async (provider) => {
    const runtime = await importRuntime(provider);
    const size = 4;
    const graph = (moves: boolean): GraphBuilder => {
      const g = new GraphBuilder(21);
      const x = g.input("x", "int8", ["length", "heads", size]);
      const scales = g.input("scales", "float32", ["heads", "length", 1]);
      const heads = g.op("Transpose", [x], { perm: [1, 0, 2] });
      const numbers = g.op("DequantizeLinear", [heads, scales], { axis: -1, block_size: size });
      const y = moves ? g.op("Transpose", [numbers], { perm: [1, 0, 2] }) : numbers;
      g.output("y", y, "float32", ["a", "b", size]);
      return g;
    };
    const run = async (moves: boolean) => {
      const session = await createSession(runtime, provider, graph(moves));
      const results = session.run({
        x: new runtime.Tensor("int8", new Int8Array(2 * 3 * size).fill(1), [2, 3, size]),
        scales: new runtime.Tensor("float32", new Float32Array(6).fill(2), [3, 2, 1]),
      });
      const { y } = await results.finally(() => session.release());
      return Array.from(y?.data as Float32Array);
    };
    expect(await run(false)).toEqual(new Array(24).fill(2));
    await expect(run(true)).rejects.toThrow(/blocked quantization|scale/i);
  },
);
