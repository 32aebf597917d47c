import { type OnnxRuntime, OnnxRuntimeError, onnx } from "@heed/backend-onnx";
import {
  type AttentionInputs,
  BackendUnavailableError,
  contiguous,
  createAttention,
  describeProblem,
  type HostTensor,
  InvalidInputError,
  OutOfMemoryError,
  referenceAttention,
  tensor,
  transpose,
  UnsupportedError,
} from "@heed/core";
import * as ort from "onnxruntime-web";
import { expect, test } from "vitest";

/** Counts of the calls that a runtime received. */
interface Log {
  /** Tensors that were made. */
  tensors: number;
  created: number;
  released: number;
  /** Runs under way, and the most there were at a time. */
  running: number;
  most: number;
}

/** onnxruntime-web with an eye on it; `fail` makes runs fail. */
function watched(fail?: string): { runtime: OnnxRuntime; log: Log } {
  const log: Log = { tensors: 0, created: 0, released: 0, running: 0, most: 0 };
  const create = async (model: Uint8Array, options: ort.InferenceSession.SessionOptions) => {
    const session = await ort.InferenceSession.create(model, options);
    log.created += 1;
    return {
      run: async (feeds: ort.InferenceSession.FeedsType) => {
        if (fail && log.created > 1) throw new Error(fail);
        log.running += 1;
        log.most = Math.max(log.most, log.running);
        await new Promise((resolve) => setTimeout(resolve, 1));
        const results = await session.run(feeds);
        log.running -= 1;
        return results;
      },
      release: async () => {
        log.released += 1;
        await session.release();
      },
    };
  };
  const Tensor = new Proxy(ort.Tensor, {
    construct: (target, given) => {
      log.tensors += 1;
      return Reflect.construct(target, given);
    },
  });
  return { runtime: { env: ort.env, Tensor, InferenceSession: { create } }, log };
}

function call(queryLength: number, rules: Partial<AttentionInputs> = {}): AttentionInputs {
  const fill = (length: number) =>
    Float32Array.from({ length: 2 * length * 8 }, (_, i) => Math.sin(i + length));
  const keys = tensor(fill(9), [1, 2, 9, 8]);
  return {
    query: tensor(fill(queryLength), [1, 2, queryLength, 8]),
    key: keys,
    value: keys,
    ...rules,
  };
}

test("one session serves all lengths, and calls that overlap take turns", async () => {
  const { runtime, log } = watched();
  const backends = [onnx({ provider: "wasm", runtime, threads: 1 })];
  const attention = await createAttention({ backends, selfTest: false });
  const probes = log.created;
  const calls = [1, 2, 3, 4, 5].map((length) => call(length));
  const results = await Promise.all(calls.map((inputs) => attention.run(inputs)));
  expect(log.created - probes).toBe(1);
  expect(log.most).toBe(1);
  for (const [i, { output }] of results.entries()) {
    const expected = referenceAttention(calls[i] as never).output;
    expect((output as typeof expected).data[3]).toBeCloseTo(expected.data[3] as number, 5);
  }
  await attention.dispose();
});

test("tensors that come again are not made again, and those that can change are", async () => {
  const { runtime, log } = watched();
  const backend = await onnx({ provider: "wasm", runtime, threads: 1 }).load();
  const inputs = call(3);
  const plan = await backend.plan(describeProblem(inputs));
  const made = async (given: AttentionInputs): Promise<number> => {
    const before = log.tensors;
    const { output } = await plan.run(given);
    const expected = referenceAttention(given as never).output;
    expect((output as HostTensor).data[5]).toBeCloseTo(expected.data[5] as number, 5);
    return log.tensors - before;
  };
  // Key and value are one tensor.
  expect(await made(inputs)).toBe(2);
  expect(await made(inputs)).toBe(0);
  // A new query beside the same cache, as in decoding; then new contents of the same array.
  const next = { ...inputs, query: tensor(new Float32Array(48).fill(0.5), [1, 2, 3, 8]) };
  expect(await made(next)).toBe(1);
  ((next.query as HostTensor).data as Float32Array).fill(-1.5, 0, 24);
  expect(await made(next)).toBe(0);

  const { dtype, shape, strides, offset } = next.query as HostTensor;
  const query = { dtype, shape, strides, offset, data: new Float32Array(48).fill(2) };
  expect(await made({ ...next, query })).toBe(1);
  query.data = Float32Array.from({ length: 48 }, (_, i) => Math.cos(i));
  expect(await made({ ...next, query })).toBe(1);
  backend.dispose();
});

test("no model is given to the runtime twice, whatever calls come again", async () => {
  const { runtime, log } = watched();
  const backend = await onnx({ provider: "wasm", runtime, threads: 1 }).load();
  const probes = log.created;
  const run = async (inputs: AttentionInputs): Promise<number> => {
    const plan = await backend.plan(describeProblem(inputs));
    await plan.run(inputs);
    return log.created - probes;
  };
  const offset = { causal: true, queryOffset: "bottom-right" } as const;
  for (let again = 0; again < 3; again++) {
    for (const length of [2, 3, 5]) await run(call(length, { kvLengths: [9 - again] }));
  }
  // One that hides keys by lengths, and the one without: a call that sees all takes the faster.
  expect(await run(call(4, { kvLengths: [7] }))).toBe(2);
  for (const length of [2, 3, 5]) await run(call(length, offset));
  expect(await run(call(4, offset))).toBe(3);
  // Tensors that lie as [batch, length, heads, size] are put right by the model: another one.
  const strided = (length: number): AttentionInputs => {
    const { query, key, value } = call(length);
    const swap = (t: HostTensor) => transpose(contiguous(transpose(t, [0, 2, 1, 3])), [0, 2, 1, 3]);
    return {
      query: swap(query as HostTensor),
      key: swap(key as HostTensor),
      value: swap(value as HostTensor),
      ...offset,
    };
  };
  for (const length of [2, 3, 5]) await run(strided(length));
  expect(await run(strided(4))).toBe(4);
  backend.dispose();
});

test("sessions are bounded, and released with the backend", async () => {
  const { runtime, log } = watched();
  const backend = await onnx({ provider: "wasm", runtime, threads: 1 }).load();
  const start = log.created - log.released;
  expect(start).toBe(0);
  for (let i = 1; i <= 40; i++) await backend.plan(describeProblem(call(2, { scale: i / 10 })));
  const held = log.created - log.released;
  expect(held).toBeLessThan(40);
  expect(held).toBeGreaterThan(0);
  backend.dispose();
  await expect.poll(() => log.created - log.released).toBe(0);
});

test("a run that fails is a typed error that says what to do", async () => {
  const { runtime } = watched("out of memory");
  const backend = await onnx({ provider: "wasm", runtime, threads: 1 }).load();
  const inputs = call(3);
  const plan = await backend.plan(describeProblem(inputs));
  const error = await plan.run(inputs).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(OnnxRuntimeError);
  expect(error).toMatchObject({ code: "onnx-runtime" });
  expect(String(error)).toMatch(/out of memory.*shorter lengths or another provider/);
  backend.dispose();
});

test("what does not fit into WebAssembly's memory is refused", async () => {
  const backend = await onnx({ provider: "wasm", runtime: ort, threads: 1 }).load();
  const row = tensor(new Float32Array(8), [1, 1, 65536, 8], { strides: [0, 0, 0, 1] });
  const problem = describeProblem({ query: row, key: row, value: row });
  const support = backend.supports(problem);
  expect(support).toMatchObject({ ok: false, reasons: [{ code: "too-large" }] });
  await expect(async () => backend.plan(problem)).rejects.toThrow(UnsupportedError);
  backend.dispose();
});

test.each(["cpu", "wasm"] as const)(
  "%s: what needs more than maxWorkspaceBytes is refused, and what needs less is not",
  async (provider) => {
    const problemOf = (
      queryLength: number,
      keyLength: number,
      rules: Partial<AttentionInputs> = {},
    ) => {
      const rows = (length: number, size = 8) =>
        tensor(new Float32Array(size), [1, 1, length, size], { strides: [0, 0, 0, 1] });
      const [query, key] = [rows(queryLength), rows(keyLength)];
      return describeProblem({ query, key, value: key, ...rules });
    };
    const small = await onnx({ provider, threads: 1, maxWorkspaceBytes: 2 ** 20 }).load();
    const logits = 2 ** 20 / 2 / 4;
    expect(small.supports(problemOf(1, logits))).toEqual({ ok: true });
    const refused = small.supports(problemOf(1, logits + 1));
    expect(refused).toMatchObject({ ok: false, reasons: [{ code: "memory" }] });
    expect(JSON.stringify(refused)).toContain("maxWorkspaceBytes");
    await expect(async () => small.plan(problemOf(1, logits + 1))).rejects.toThrow(
      UnsupportedError,
    );
    small.dispose();

    const usual = await onnx({ provider, threads: 1 }).load();
    expect(usual.supports(problemOf(40_000, 50_000)).ok).toBe(false);
    expect(usual.supports(problemOf(10_000, 20_000))).toEqual({ ok: true });
    usual.dispose();
  },
);

test("long causal calls in tiles are not refused, and a hidden NaN in one is a typed error", async () => {
  const backend = await onnx({ provider: "cpu", threads: 1, maxWorkspaceBytes: 2 ** 21 }).load();
  const fill = (seed: number) =>
    tensor(
      Float32Array.from({ length: 1024 * 64 }, (_, i) => Math.sin(seed + 7 * i)),
      [1, 1, 1024, 64],
    );
  const inputs = { query: fill(1), key: fill(2), value: fill(3), causal: true };
  const problem = describeProblem(inputs);
  expect(backend.supports(problem)).toEqual({ ok: true });
  const plan = await backend.plan(problem);
  expect(plan.description.workspaceBytes).toBeLessThanOrEqual(2 ** 21);
  await plan.run(inputs);
  (inputs.value.data as Float32Array)[1023 * 64] = Number.NaN;
  await expect(plan.run(inputs)).rejects.toThrow(OutOfMemoryError);
  backend.dispose();
});

test("where no provider works, the hint names the package for this runtime", async () => {
  const broken: OnnxRuntime = {
    env: { wasm: {}, webgpu: {} },
    Tensor: ort.Tensor,
    InferenceSession: { create: () => Promise.reject(new Error("no binary")) },
  };
  const error = await onnx({ runtime: broken })
    .load()
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ hint: "npm install onnxruntime-node" });
});

test("a provider that cannot work here is unavailable, with a reason and a hint", async () => {
  const error = await onnx({ provider: "webnn" })
    .load()
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(BackendUnavailableError);
  expect(error).toMatchObject({ hint: expect.stringContaining("WebNN") });
});

test("a device for a runtime that takes none is not left out without a word", async () => {
  await expect(onnx({ provider: "webgpu", device: {} }).load()).rejects.toThrow(
    /onnxruntime-node takes no GPUDevice/,
  );
});

test.each<[object, string]>([
  [{ provider: "tpu" }, "provider"],
  [{ threads: 0 }, "threads"],
  [{ runtime: {} }, "runtime"],
  [{ device: {}, provider: "wasm" }, "device"],
  [{ providers: "wasm" }, "providers"],
  [{ maxWorkspaceBytes: -1 }, "maxWorkspaceBytes"],
  [{ maxWorkspaceBytes: Number.NaN }, "maxWorkspaceBytes"],
])("a wrong option is named: %o", (options, name) => {
  expect(() => onnx(options as never)).toThrow(InvalidInputError);
  expect(() => onnx(options as never)).toThrow(name);
});
