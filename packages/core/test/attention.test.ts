import {
  type AttentionBackend,
  type AttentionInputs,
  type AttentionOptions,
  type AttentionPlan,
  type AttentionProvider,
  BackendUnavailableError,
  cast,
  createAttention,
  type DeviceTensor,
  DisposedError,
  describeProblem,
  type HostTensor,
  InvalidInputError,
  merge,
  reference,
  type SupportReason,
  tensor,
  UnsupportedError,
  zeros,
} from "@heed/core";
import { afterEach, describe, expect, test, vi } from "vitest";

interface Fake extends AttentionProvider {
  /** The calls that the backend received, in order. */
  readonly log: string[];
}

interface FakeOptions {
  readonly refuses?: readonly SupportReason[];
  /** Changes what the reference computes. */
  readonly spoil?: (output: HostTensor) => HostTensor;
  readonly unavailable?: Error;
  readonly delay?: number;
}

/** A backend that logs the calls it receives, and computes with the reference. */
function fake(name: string, options: FakeOptions = {}): Fake {
  const log: string[] = [];
  return {
    name,
    log,
    load: async () => {
      log.push("load");
      if (options.unavailable) throw options.unavailable;
      const inner = await reference().load();
      const backend: AttentionBackend = {
        name,
        info: inner.info,
        supports: () => (options.refuses ? { ok: false, reasons: options.refuses } : { ok: true }),
        plan: async (problem): Promise<AttentionPlan> => {
          log.push("plan");
          const plan = await inner.plan(problem);
          return {
            description: plan.description,
            run: async (inputs) => {
              log.push("run");
              await new Promise((resolve) => setTimeout(resolve, options.delay ?? 0));
              const outputs = await plan.run(inputs);
              const output = outputs.output as HostTensor;
              return { ...outputs, output: options.spoil ? options.spoil(output) : output };
            },
            dispose: () => log.push("dispose plan"),
          };
        },
        dispose: () => log.push("dispose"),
      };
      return backend;
    },
  };
}

const inputs = (length = 3): AttentionInputs<HostTensor> => ({
  query: tensor(
    Float32Array.from({ length: length * 4 }, (_, i) => Math.sin(i)),
    [1, 1, length, 4],
  ),
  key: zeros("float32", [1, 1, length, 4]),
  value: zeros("float32", [1, 1, length, 4]),
});

const quiet = { fallback: "silent", selfTest: false } satisfies Partial<AttentionOptions>;
const refusal = [{ code: "dtype", message: "knows no such dtype", hint: "cast it" }];

afterEach(() => vi.restoreAllMocks());

describe("selection", () => {
  test("takes the first backend that is ready and supports the problem, and says which", async () => {
    const attention = await createAttention({
      ...quiet,
      backends: [fake("a", { refuses: refusal }), fake("b"), fake("c")],
    });
    expect((await attention.run(inputs())).backend).toBe("b");
    expect(attention.explain(describeProblem(inputs()))).toEqual({
      backend: "b",
      others: [
        { backend: "a", reasons: refusal },
        { backend: "c", reasons: [expect.objectContaining({ code: "lower-priority" })] },
      ],
    });
    expect(attention.explain(inputs()).backend).toBe("b");
  });

  test("lists every backend asked for: ready, or unavailable and why", async () => {
    const unavailable = new BackendUnavailableError("no adapter", "plug one in");
    const boom = new Error("boom");
    const attention = await createAttention({
      ...quiet,
      backends: [fake("gpu", { unavailable }), fake("broken", { unavailable: boom }), fake("b")],
    });
    expect(attention.backends).toEqual([
      {
        name: "gpu",
        status: "unavailable",
        reason: "no adapter",
        hint: "plug one in",
        cause: unavailable,
      },
      { name: "broken", status: "unavailable", reason: "failed to load: boom", cause: boom },
      { name: "b", status: "ready", info: expect.objectContaining({ device: "CPU" }) },
    ]);
  });

  test("throws every backend's reasons where none runs the problem", async () => {
    const attention = await createAttention({
      ...quiet,
      backends: [fake("a", { refuses: refusal }), fake("b", { refuses: refusal })],
    });
    const error = await attention.run(inputs()).catch((e) => e);
    expect(error).toBeInstanceOf(UnsupportedError);
    expect(error.backends).toEqual([
      { backend: "a", reasons: refusal },
      { backend: "b", reasons: refusal },
    ]);
    expect(error.message).toContain("a: knows no such dtype (cast it)");
    expect(error.message).toContain("b: knows no such dtype (cast it)");
    expect(attention.explain(inputs()).backend).toBeNull();
  });

  test("rejects if no backend is available, with all reasons", async () => {
    const unavailable = new BackendUnavailableError("no adapter");
    const options = { ...quiet, backends: [fake("gpu", { unavailable })] };
    await expect(createAttention(options)).rejects.toThrow(BackendUnavailableError);
    await expect(createAttention(options)).rejects.toThrow(/gpu: no adapter/);
    await expect(createAttention(options)).rejects.toMatchObject({ cause: unavailable });
    const two = [fake("gpu", { unavailable }), fake("broken", { unavailable: new Error("boom") })];
    await expect(createAttention({ ...quiet, backends: two })).rejects.toMatchObject({
      cause: { errors: [unavailable, new Error("boom")] },
    });
    const none = { name: "none", load: async () => null as never };
    const error = await createAttention({ ...quiet, backends: [none] }).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(BackendUnavailableError);
    expect("cause" in error).toBe(false);
  });

  test('"fastest" measures once a class of problem, on the call itself', async () => {
    const [slow, fast] = [fake("slow", { delay: 30 }), fake("fast")];
    const attention = await createAttention({
      ...quiet,
      select: "fastest",
      backends: [slow, fast],
    });
    expect(attention.explain(inputs()).backend).toBeNull();
    const results = await Promise.all([attention.run(inputs()), attention.run(inputs())]);
    expect(results.map((r) => r.backend)).toEqual(["fast", "fast"]);
    expect(slow.log.filter((entry) => entry === "run").length).toBe(4);
    expect(attention.explain(inputs())).toEqual({
      backend: "fast",
      others: [{ backend: "slow", reasons: [expect.objectContaining({ code: "slower" })] }],
    });
    // Lengths 3 and 4 are of one class.
    expect((await attention.run(inputs(4))).backend).toBe("fast");
    expect(slow.log.filter((entry) => entry === "run").length).toBe(4);
  });
});

describe("fallback", () => {
  const backends = () => [fake("a", { refuses: refusal }), fake("b")];

  test('"warn" says once that a later backend runs, and why', async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const attention = await createAttention({ backends: backends(), selfTest: false });
    await attention.run(inputs());
    await attention.run(inputs());
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]?.[0]).toMatch(/b runs instead.*\n.*a: knows no such dtype/);
  });

  test('"error" throws instead', async () => {
    const attention = await createAttention({
      backends: backends(),
      fallback: "error",
      selfTest: false,
    });
    await expect(attention.run(inputs())).rejects.toThrow(UnsupportedError);
    const unavailable = new BackendUnavailableError("no adapter");
    const missing = [fake("gpu", { unavailable }), fake("b")];
    await expect(
      createAttention({ backends: missing, fallback: "error", selfTest: false }),
    ).rejects.toThrow(BackendUnavailableError);
    expect(missing[1]?.log).toEqual(["load", "dispose"]);
  });

  test('"silent" is', async () => {
    const warn = vi.spyOn(console, "warn");
    const attention = await createAttention({ ...quiet, backends: backends() });
    await attention.run(inputs());
    expect(warn).not.toHaveBeenCalled();
  });
});

describe("self-test", () => {
  test("a backend that computes wrong numbers here is unavailable, with that reason", async () => {
    const wrong = fake("wrong", {
      spoil: (output) => {
        output.data[0] = 1 + (output.data[0] as number);
        return output;
      },
    });
    const attention = await createAttention({
      backends: [wrong, reference()],
      fallback: "silent",
    });
    expect(attention.backends[0]).toMatchObject({
      status: "unavailable",
      reason: expect.stringMatching(/self-test found wrong numbers/),
    });
    expect(wrong.log.at(-1)).toBe("dispose");
    expect((await attention.run(inputs())).backend).toBe("reference");
  });

  test("so is one that gives NaN, another shape, or throws", async () => {
    const spoils: ((output: HostTensor) => HostTensor)[] = [
      (output) => ({ ...output, data: Float32Array.from(output.data, () => Number.NaN) }),
      (output) => zeros(output.dtype, [1]),
      () => {
        throw new Error("driver crashed");
      },
    ];
    for (const spoil of spoils) {
      const options = { backends: [fake("wrong", { spoil })], fallback: "silent" } as const;
      await expect(createAttention(options)).rejects.toThrow(/self-test/);
    }
  });

  test("tests float16 before the first call that has it, once, and such calls go elsewhere", async () => {
    const half = (length: number): AttentionInputs<HostTensor> => {
      const { query, key, value } = inputs(length);
      const halved = (t: HostTensor) => cast(t, "float16");
      return { query: halved(query), key: halved(key), value: halved(value) };
    };
    const wrong = fake("wrong", {
      spoil: (output) => (output.dtype === "float16" ? zeros("float16", output.shape) : output),
    });
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const attention = await createAttention({ backends: [wrong, reference()] });
    expect(attention.explain(half(3)).backend).toBe("wrong");
    const ran = await Promise.all(
      [half(3), half(3), half(5), inputs()].map((i) => attention.run(i)),
    );
    expect(ran.map(({ backend }) => backend)).toEqual([
      "reference",
      "reference",
      "reference",
      "wrong",
    ]);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.lastCall?.[0]).toMatch(/self-test found wrong numbers on a small float16/);
    expect(attention.explain(half(4)).others).toMatchObject([
      { backend: "wrong", reasons: [{ code: "unavailable" }] },
    ]);
    expect(attention.backends[0]?.status).toBe("ready");
    // Two calls in float32 when it loaded, one in float16, and the caller's.
    expect(wrong.log.filter((entry) => entry === "run")).toHaveLength(4);
    await attention.dispose();
  });

  test("tests every dtype of a call, of whatever operation, and keeps the error", async () => {
    const boom = new Error("driver crashed");
    const wrong = fake("wrong", {
      spoil: (output) => {
        if (output.dtype === "float16") throw boom;
        return output;
      },
    });
    const attention = await createAttention({
      backends: [wrong, reference()],
      fallback: "silent",
    });
    const part = { output: zeros("float32", [2, 3]), logSumExp: zeros("float16", [2]) };
    expect((await attention.apply(merge, { parts: [part, part] })).backend).toBe("reference");
    expect((await attention.run(inputs())).backend).toBe("wrong");
    await attention.dispose();
    const always = fake("wrong", {
      spoil: () => {
        throw boom;
      },
    });
    const other = await createAttention({ backends: [always, reference()], fallback: "silent" });
    expect(other.backends[0]).toMatchObject({ cause: { cause: boom } });
    await other.dispose();
  });

  test("a call in a dtype that every backend fails is refused, and dispose waits for it", async () => {
    const wrong = fake("wrong", {
      spoil: (output) => (output.dtype === "float64" ? zeros("float64", output.shape) : output),
    });
    const attention = await createAttention({ backends: [wrong] });
    const t = zeros("float64", [1, 1, 2, 4]);
    const call = { query: t, key: t, value: t };
    const running = attention.run(call);
    const disposed = attention.dispose();
    await expect(running).rejects.toThrow(UnsupportedError);
    await expect(running).rejects.toThrow(/wrong numbers on a small float64/);
    await disposed;
    expect(wrong.log.at(-1)).toBe("dispose");
  });

  test("of a backend without float32 is in the dtype that it has", async () => {
    const only = fake("only", { spoil: (output) => zeros(output.dtype, output.shape) });
    const backends = [
      {
        name: "only",
        load: async () => {
          const backend = await only.load();
          const supports = (problem: { readonly dtype: string }) =>
            problem.dtype === "float64" ? { ok: true } : { ok: false, reasons: refusal };
          return { ...backend, supports } as AttentionBackend;
        },
      },
    ];
    const loading = createAttention({ backends, fallback: "silent" });
    await expect(loading).rejects.toThrow(/small float64 problem/);
  });

  test("leaves out what the backend refuses, and can be turned off", async () => {
    await createAttention({ backends: [fake("a", { refuses: refusal })], fallback: "silent" });
    const untested = fake("b");
    await createAttention({ ...quiet, backends: [untested] });
    expect(untested.log).toEqual(["load"]);
  });
});

describe("plans", () => {
  test("are kept by problem, bounded, the least recently used disposed first", async () => {
    const a = fake("a");
    const attention = await createAttention({ ...quiet, backends: [a], planCacheSize: 2 });
    for (const length of [1, 2, 1, 3, 1, 2]) await attention.run(inputs(length));
    // 1, 2 planned; 3 drops 2; 2 is planned again and drops 3.
    expect(a.log.filter((entry) => entry === "plan").length).toBe(4);
    expect(a.log.filter((entry) => entry === "dispose plan").length).toBe(2);
    await attention.dispose();
    expect(a.log.filter((entry) => entry === "dispose plan").length).toBe(4);
    expect(a.log.at(-1)).toBe("dispose");
  });

  test("are shared by calls that overlap, and not disposed under them", async () => {
    const a = fake("a", { delay: 10 });
    const attention = await createAttention({ ...quiet, backends: [a], planCacheSize: 1 });
    const lengths = [1, 2, 1, 2, 3, 1];
    const results = await Promise.all(lengths.map((length) => attention.run(inputs(length))));
    expect(results.map((r) => r.output.shape[2])).toEqual(lengths);
    await attention.dispose();
    const count = (what: string) => a.log.filter((entry) => entry === what).length;
    expect(count("dispose plan")).toBe(count("plan"));
  });

  test("that cannot be made are tried again", async () => {
    let attempts = 0;
    const inner = await reference().load();
    const flaky: AttentionProvider = {
      name: "flaky",
      load: async () => ({
        name: "flaky",
        info: inner.info,
        supports: () => ({ ok: true }),
        plan: (problem) => {
          attempts += 1;
          if (attempts === 1) throw new Error("out of memory");
          return inner.plan(problem);
        },
        dispose: () => {},
      }),
    };
    const attention = await createAttention({ ...quiet, backends: [flaky] });
    await expect(attention.run(inputs())).rejects.toThrow("out of memory");
    expect((await attention.run(inputs())).backend).toBe("flaky");
  });
});

describe("device tensors", () => {
  const onDevice = (backend: string): DeviceTensor => ({
    backend,
    dtype: "float32",
    shape: [1, 1, 3, 4],
    read: async () => zeros("float32", [1, 1, 3, 4]),
    dispose: () => {},
  });

  test("decide which backend runs", async () => {
    const attention = await createAttention({ ...quiet, backends: [fake("a"), fake("b")] });
    const call = { ...inputs(), key: onDevice("b") };
    expect(attention.explain(call)).toMatchObject({
      backend: "b",
      others: [{ backend: "a", reasons: [{ code: "device" }] }],
    });
    await expect(attention.run({ ...inputs(), key: onDevice("c") })).rejects.toThrow(
      UnsupportedError,
    );
  });

  test("of two backends are an error that names the input", async () => {
    const attention = await createAttention({ ...quiet, backends: [fake("a"), fake("b")] });
    const call = { ...inputs(), key: onDevice("b"), value: onDevice("a") };
    await expect(attention.run(call)).rejects.toThrow(
      expect.objectContaining({ argument: "value" }),
    );
  });
});

describe("dispose", () => {
  test("waits for the runs under way; later calls throw", async () => {
    const a = fake("a", { delay: 20 });
    const attention = await createAttention({ ...quiet, backends: [a] });
    const running = attention.run(inputs());
    const disposed = attention.dispose();
    await expect(attention.run(inputs())).rejects.toThrow(DisposedError);
    expect(() => attention.explain(inputs())).toThrow(DisposedError);
    expect((await running).backend).toBe("a");
    await disposed;
    await attention.dispose();
    expect(a.log).toEqual(["load", "plan", "run", "dispose plan", "dispose"]);
  });

  test("of a backend or a plan makes its calls throw", async () => {
    const backend = await reference().load();
    const problem = describeProblem(inputs());
    const plan = await backend.plan(problem);
    plan.dispose();
    await expect(plan.run(inputs())).rejects.toThrow(DisposedError);
    backend.dispose();
    expect(() => backend.plan(problem)).toThrow(DisposedError);
  });
});

describe("options", () => {
  test.each<[string, unknown, string]>([
    ["no backends", { backends: [] }, "backends"],
    ["backends missing", {}, "backends"],
    ["a backend that is no provider", { backends: [{ name: "x" }] }, "backends[0]"],
    ["another selection", { backends: [reference()], select: "best" }, "select"],
    ["another fallback", { backends: [reference()], fallback: "ignore" }, "fallback"],
    ["selfTest that is no boolean", { backends: [reference()], selfTest: 1 }, "selfTest"],
    ["a negative cache", { backends: [reference()], planCacheSize: -1 }, "planCacheSize"],
    ["nothing", undefined, "backends"],
  ])("refuse %s", async (_, options, argument) => {
    const error = await createAttention(options as AttentionOptions).catch((e) => e);
    expect(error).toBeInstanceOf(InvalidInputError);
    expect(error.argument).toBe(argument);
  });
});

test("float16 goes in and out as bits or as Float16Array, on every runtime", async () => {
  const attention = await createAttention({ backends: [reference()] });
  const { query, key, value } = inputs();
  const bits = tensor(new Uint16Array(12).fill(0x3c00), [1, 1, 3, 4], { dtype: "float16" });
  const half = await attention.run({
    query: cast(query, "float16"),
    key: cast(key, "float16"),
    value: bits,
  });
  expect(half.output.dtype).toBe("float16");
  expect([...(cast(half.output, "float32").data as Float32Array)]).toEqual(Array(12).fill(1));
  expect(value.dtype).toBe("float32");
});
