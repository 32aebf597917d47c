import {
  type AttentionInputs,
  describeProblem,
  type HostTensor,
  InvalidInputError,
  OutOfMemoryError,
  referenceAttention,
  tensor,
  toFloat64,
  zeros,
} from "@heed/core";
import { afterEach, expect, test } from "vitest";
import { type LoadedWasm, loadWasm } from "../src/load.js";
import { alignment } from "../src/memory/allocator.js";
import { pageBytes, WasmMemory } from "../src/memory/memory.js";
import { backendOver } from "./backends.js";
import { calls } from "./calls.js";

type WasmBackend = Awaited<ReturnType<typeof backendOver>>;

const backends: WasmBackend[] = [];
afterEach(() => {
  for (const backend of backends.splice(0)) backend.dispose();
});

async function backendOf(wasm: LoadedWasm): Promise<WasmBackend> {
  const backend = await backendOver(wasm);
  backends.push(backend);
  return backend;
}

/** A backend whose memory cannot grow past some pages. */
async function small(pages: number): Promise<{ backend: WasmBackend; memory: WasmMemory }> {
  const wasm = await loadWasm({ threads: 1 });
  const memory = new WasmMemory(wasm.memory.memory, pages * pageBytes);
  return { backend: await backendOf({ ...wasm, memory }), memory };
}

async function run(backend: WasmBackend, call: AttentionInputs): Promise<Float64Array> {
  const { output } = await (await backend.plan(describeProblem(call))).run(call);
  return toFloat64("read" in output ? await output.read() : output);
}

test("ten thousand calls do not grow the memory, and leave nothing in it", async () => {
  const wasm = await loadWasm({ threads: 1 });
  const backend = await backendOf(wasm);
  const call = calls.few;
  const plan = await backend.plan(describeProblem(call));
  await plan.run(call);
  const { size, used } = wasm.memory;
  for (let i = 0; i < 10_000; i++) await plan.run(call);
  expect(wasm.memory.size).toBe(size);
  expect(wasm.memory.used).toBe(used);
  expect(used).toBe(0);
});

test("device tensors that are disposed of make room for others", async () => {
  const { backend, memory } = await small(64);
  const big = zeros("float32", [pageBytes / 4, 40]);
  for (let i = 0; i < 50; i++) {
    const device = await backend.upload(big);
    device.dispose();
    device.dispose();
  }
  expect(memory.used).toBe(0);
});

test("what does not fit is refused with the bytes asked for, and spoils nothing", async () => {
  const { backend, memory } = await small(32);
  const call = calls.prefill;
  const expected = toFloat64(referenceAttention(call).output);
  const key = await backend.upload(call.key);
  const before = memory.used;
  const tooMuch = zeros("float32", [pageBytes / 4, 40]);
  const error = await backend.upload(tooMuch).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(OutOfMemoryError);
  expect(error).toMatchObject({
    bytes: 40 * pageBytes,
    limit: 32 * pageBytes,
    inUse: before,
    code: "out-of-memory",
  });
  expect((error as Error).message).toContain(`${40 * pageBytes} more bytes`);
  expect(memory.used).toBe(before);
  const got = await run(backend, { ...call, key });
  for (let i = 0; i < got.length; i++) expect(got[i]).toBeCloseTo(expected[i] as number, 5);
});

test("a call that runs out half-way gives back what it took", async () => {
  const { backend, memory } = await small(20);
  const call = calls.heads;
  const filler = await backend.upload(zeros("float32", [(19.5 * pageBytes) / 4]));
  const before = memory.used;
  const plan = await backend.plan(describeProblem(call));
  await expect(plan.run(call)).rejects.toThrow(OutOfMemoryError);
  expect(memory.used).toBe(before);
  filler.dispose();
  await plan.run(call);
  expect(memory.used).toBe(0);
});

test("a problem that can never fit is refused before it runs", async () => {
  const backend = await backendOf(await loadWasm({ threads: 1 }));
  const one = new Float32Array(1);
  // 2^26 rows of 16, 4 GiB each: one element, repeated by strides of 0.
  const long = tensor(one, [1, 1, 2 ** 26, 16], { strides: [0, 0, 0, 0] });
  const problem = describeProblem({ query: long, key: long, value: long });
  const support = backend.supports(problem);
  expect(support).toMatchObject({ ok: false, reasons: [{ code: "memory" }] });
  expect(() => backend.plan(problem)).toThrow(/bytes, and wasm memory has at most \d+/);
});

test("inputs that are there already are not copied", async () => {
  const wasm = await loadWasm({ threads: 1 });
  const backend = await backendOf(wasm);
  const call = calls.decode;
  const device = {
    query: await backend.upload(call.query),
    key: await backend.upload(call.key),
    value: await backend.upload(call.value),
  };
  const plan = await backend.plan(describeProblem(call));
  const allocated: number[] = [];
  const { allocate } = wasm.memory;
  wasm.memory.allocate = (bytes) => {
    allocated.push(bytes);
    return allocate.call(wasm.memory, bytes);
  };
  await plan.run(call);
  const host = allocated.splice(0).reduce((a, b) => a + b);
  await plan.run({ ...call, ...device });
  const resident = allocated.reduce((a, b) => a + b);
  const inputs = [call.query, call.key, call.value].reduce(
    (sum: number, t: HostTensor) => sum + t.data.byteLength,
    0,
  );
  expect(host - resident).toBe(inputs);
});

test("a tensor whose fields contradict one another is refused before anything is copied", async () => {
  const { backend, memory } = await small(64);
  const one = new Float32Array(1);
  const honest = { dtype: "float32", shape: [1], strides: [1], offset: 0, data: one } as const;
  const lies: [string, object][] = [
    ["a shape past the data", { ...honest, shape: [1000] }],
    ["a shape far past the data", { ...honest, shape: [10 ** 9] }],
    ["an offset past the data", { ...honest, offset: 1 }],
    ["a stride past the data", { ...honest, shape: [2], strides: [7] }],
    ["a negative stride", { ...honest, shape: [1], strides: [-1] }],
    ["bytes that say float32", { ...honest, data: new Uint8Array(1) }],
    ["float32 that says float16", { ...honest, dtype: "float16" }],
    ["too few strides", { ...honest, strides: [] }],
    ["no data", { ...honest, data: null }],
  ];
  for (const [what, lie] of lies) {
    await expect(backend.upload(lie as HostTensor), what).rejects.toThrow(InvalidInputError);
  }
  await expect(backend.upload(null as never)).rejects.toThrow(InvalidInputError);
  await expect(
    backend.upload((await backend.upload(zeros("float32", [2]))) as never),
  ).rejects.toThrow(/a host tensor/);
  expect(memory.used).toBe(alignment);
});
