import {
  type AttentionProblem,
  attention,
  type Backend,
  type BackendDefinition,
  type BoundAttention,
  createAttention,
  type DeviceMemory,
  type DeviceTensor,
  DisposedError,
  defineBackend,
  deviceTensor,
  type HostTensor,
  InvalidInputError,
  implement,
  type Problem,
  tensor,
  UnsupportedError,
  zeros,
} from "@heed/core";
import { describe, expect, test, vi } from "vitest";

const inputs = {
  query: tensor(new Float32Array(8), [1, 2, 2, 2]),
  key: tensor(new Float32Array(6), [1, 1, 3, 2]),
  value: tensor(new Float32Array(6), [1, 1, 3, 2]),
  mask: tensor(Uint8Array.from([1, 0, 1]), [3], { dtype: "bool" }),
  kvLengths: [2],
};
const problem = attention.describe(inputs);
const info = { runtime: "JavaScript", device: "CPU", features: [], threads: 1 };
const description = { kernel: "zeros", tiles: {}, workspaceBytes: 0, dispatches: 1 };

interface Context {
  readonly log: string[];
}

/** A backend that computes zeros and keeps a diary; it decides by counting the keys. */
function diary(changes: Partial<BackendDefinition<Context>> = {}) {
  const log: string[] = [];
  let bound: BoundAttention | null = null;
  const provider = defineBackend<Context>({
    name: "diary",
    load: () => ({ log }),
    info: () => info,
    operations: {
      attention: implement(attention, {
        decide: (p: AttentionProblem, context: Context) => {
          context.log.push("decide");
          return p.causal
            ? { reasons: [{ code: "causal", message: "has no causal" }] }
            : { decision: p.keyLength };
        },
        plan: (p, keys, context) => {
          context.log.push(`plan ${keys}`);
          return {
            description,
            run: (call) => {
              bound = call;
              context.log.push("run");
              return { output: zeros(p.dtype, [p.batch, p.queryHeads, p.queryLength, p.valueDim]) };
            },
            dispose: () => context.log.push("dispose plan"),
          };
        },
      }),
    },
    dispose: (context) => context.log.push("dispose"),
    ...changes,
  });
  return { provider, log, bound: () => bound as BoundAttention | null };
}

const error = async (run: () => unknown): Promise<unknown> => {
  try {
    await run();
  } catch (thrown) {
    return thrown;
  }
  throw new Error("nothing was thrown");
};

describe("defineBackend", () => {
  test("decides once a problem and hands the decision to plan", async () => {
    const { provider, log } = diary();
    const backend = await provider.load();
    expect(backend.supports(problem)).toEqual({ ok: true });
    expect(backend.supports({ ...problem })).toEqual({ ok: true });
    await backend.plan(problem);
    expect(log).toEqual(["decide", "plan 3"]);
  });

  test("refuses in plan what it refuses in supports, with the same reasons", async () => {
    const { provider, log } = diary();
    const backend = await provider.load();
    const causal = attention.describe({ ...inputs, causal: true, queryOffset: 0 });
    const reasons = [{ code: "causal", message: "has no causal" }];
    expect(backend.supports(causal)).toEqual({ ok: false, reasons });
    const thrown = await error(() => backend.plan(causal));
    expect(thrown).toBeInstanceOf(UnsupportedError);
    expect(thrown).toMatchObject({ backends: [{ backend: "diary", reasons }] });
    expect(log).toEqual(["decide"]);
  });

  test("refuses an operation that it lacks, with a code", async () => {
    const backend = await diary().provider.load();
    const foreign: Problem = { operation: "toString", key: "whatever" };
    const support = backend.supports(foreign);
    expect(support).toMatchObject({ ok: false, reasons: [{ code: "operation" }] });
    expect(await error(() => backend.plan(foreign))).toBeInstanceOf(UnsupportedError);
  });

  test("refuses what is no problem before its kernels see it", async () => {
    const { provider, log } = diary();
    const backend = await provider.load();
    for (const value of [undefined, null, 7, "attention", {}, { operation: "attention" }]) {
      expect(() => backend.supports(value as never)).toThrow(InvalidInputError);
      expect(await error(() => backend.plan(value as never))).toBeInstanceOf(InvalidInputError);
    }
    expect(log).toEqual([]);
  });

  test("binds a call before run returns: arrays may change at once", async () => {
    const { provider, bound } = diary();
    const plan = await (await provider.load()).plan(problem);
    const kvLengths = Int32Array.of(2);
    const running = plan.run({ ...inputs, kvLengths });
    kvLengths[0] = 7;
    await running;
    expect(bound()?.kvLengths).toEqual(Int32Array.of(2));
    expect(bound()?.mask?.strides).toEqual([0, 0, 0, 1]);
    expect(attention.describe(bound()?.inputs as typeof inputs)).toBe(problem);
  });

  test("does nothing once it, or the plan, is disposed; each is released once", async () => {
    const { provider, log } = diary();
    const backend = await provider.load();
    const plan = await backend.plan(problem);
    const other = await backend.plan(problem);
    plan.dispose();
    plan.dispose();
    expect(await error(() => plan.run(inputs))).toBeInstanceOf(DisposedError);
    backend.dispose();
    backend.dispose();
    expect(await error(() => other.run(inputs))).toBeInstanceOf(DisposedError);
    expect(await error(() => backend.plan(problem))).toBeInstanceOf(DisposedError);
    expect(log.filter((line) => line.startsWith("dispose"))).toEqual(["dispose plan", "dispose"]);
  });

  test("takes no device tensor without memory, and none of another backend with it", async () => {
    const elsewhere = fakeMemory("elsewhere").memory.allocate("float32", [1, 2, 2, 2]);
    const call = { ...inputs, query: elsewhere };
    const without = await (await diary().provider.load()).plan(problem);
    const { memory } = fakeMemory("diary");
    const withOne = await (await diary({ memory: () => memory }).provider.load()).plan(problem);
    for (const plan of [without, withOne]) {
      const thrown = await error(() => plan.run(call));
      expect(thrown).toBeInstanceOf(InvalidInputError);
      expect(thrown).toMatchObject({ argument: "query" });
    }
  });
});

/** Memory that is a host tensor, and counts what it holds. */
function fakeMemory(backend: string): { memory: DeviceMemory; held: () => number } {
  let held = 0;
  const store = (t: HostTensor): DeviceTensor => {
    held += 1;
    const storage = {
      backend,
      read: async (layout: object) => ({ ...t, ...layout, data: t.data }),
      release: () => {
        held -= 1;
      },
    };
    return deviceTensor(storage, t);
  };
  return {
    memory: {
      upload: async (t) => store(t),
      allocate: (dtype, shape) => store(zeros(dtype, shape)),
    },
    held: () => held,
  };
}

describe("device memory", () => {
  const load = async () => {
    const { memory, held } = fakeMemory("diary");
    const { provider } = diary({ memory: () => memory });
    return { backend: await provider.load(), held, provider };
  };

  test("checks whatever enters it", async () => {
    const { backend, held } = await load();
    const memory = backend.memory as DeviceMemory;
    const short = { ...tensor(new Float32Array(1), [1]), shape: [1000], strides: [1] };
    for (const wrong of [short, { ...inputs.query, strides: [-1, 1, 1, 1] }, null, {}, 5]) {
      expect(await error(() => memory.upload(wrong as HostTensor))).toBeInstanceOf(
        InvalidInputError,
      );
    }
    expect(await error(() => memory.allocate("float31" as "float32", [1]))).toBeInstanceOf(
      InvalidInputError,
    );
    expect(await error(() => memory.allocate("float32", [-1]))).toBeInstanceOf(InvalidInputError);
    expect(held()).toBe(0);
  });

  test("is freed with the last of the tensors that share it", async () => {
    const { backend, held } = await load();
    const whole = await (backend as Required<Backend>).upload(inputs.query);
    expect(whole).toMatchObject({ strides: [8, 4, 2, 1], offset: 0 });
    const view = whole.view?.({ shape: [2], strides: [2], offset: 1 }) as DeviceTensor;
    whole.dispose();
    whole.dispose();
    expect([held(), whole.disposed, view.disposed]).toEqual([1, true, false]);
    expect(await error(() => whole.read())).toBeInstanceOf(DisposedError);
    expect((await view.read()).shape).toEqual([2]);
    view.dispose();
    expect(held()).toBe(0);
    expect(() => view.view?.({ shape: [1], strides: [1], offset: 0 })).toThrow(DisposedError);
  });

  test("is reached through the attention: by name, or the first that has any", async () => {
    const { provider, held } = await load();
    const host = diary();
    vi.spyOn(console, "warn").mockImplementation(() => {});
    const heed = await createAttention({
      backends: [{ ...host.provider, name: "host" }, provider],
      selfTest: false,
    });
    const uploaded = await heed.upload(inputs.query);
    const allocated = heed.allocate("float32", [1, 1, 3, 2], { backend: "diary" });
    expect([uploaded.backend, allocated.backend, held()]).toEqual(["diary", "diary", 2]);
    const none = await error(() => heed.upload(inputs.query, { backend: "host" }));
    expect(none).toMatchObject({
      code: "unsupported",
      backends: [{ backend: "host", reasons: [{ code: "memory" }] }],
    });
    expect(await error(() => heed.upload(inputs.query, { backend: "x" }))).toMatchObject({
      code: "invalid-input",
      argument: "backend",
    });
    uploaded.dispose();
    allocated.dispose();
    await heed.dispose();
    expect(held()).toBe(0);
  });

  test("calls on it run where it is", async () => {
    const { provider } = await load();
    const first = diary();
    const heed = await createAttention({
      backends: [first.provider, provider].map((p, i) => (i === 0 ? { ...p, name: "host" } : p)),
      selfTest: false,
    });
    const query = heed.allocate("float32", [1, 2, 2, 2]);
    expect((await heed.run({ ...inputs, query })).backend).toBe("diary");
    expect((await heed.apply(attention, inputs)).backend).toBe("host");
    await heed.dispose();
  });
});

describe("first and later calls", () => {
  test("ask a backend once whether and how it computes a problem", async () => {
    const { provider, log } = diary();
    const heed = await createAttention({ backends: [provider], selfTest: false });
    await Promise.all([heed.run(inputs), heed.run(inputs)]);
    await heed.run(inputs);
    heed.explain(inputs);
    expect(log).toEqual(["decide", "plan 3", "run", "run", "run"]);
    await heed.dispose();
  });
});
