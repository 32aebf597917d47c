import {
  type AttentionInputs,
  type AttentionOptions,
  type AttentionProvider,
  type Backend,
  type BackendRecommendation,
  BackendUnavailableError,
  createAttention,
  DeviceLostError,
  describeProblem,
  deviceTensor,
  type HostTensor,
  InvalidInputError,
  OutOfMemoryError,
  reference,
  zeros,
} from "@heed/core";
import { afterEach, describe, expect, test, vi } from "vitest";

/** Backends that are loaded when they are needed, that fail, and that are given up in time. */

interface Toy {
  readonly refuses?: boolean;
  readonly unavailable?: boolean;
  /** Thrown by a run; changed by tests. */
  fails?: Error | null;
  readonly memory?: boolean;
  /** Promises that loading and running wait for. */
  readonly loads?: Promise<unknown>;
  readonly runs?: Promise<unknown>;
}

interface Told extends AttentionProvider {
  readonly log: string[];
  readonly toy: Toy;
}

function toy(name: string, behaviour: Toy = {}): Told {
  const log: string[] = [];
  const load = async (): Promise<Backend> => {
    log.push("load");
    await behaviour.loads;
    if (behaviour.unavailable) throw new BackendUnavailableError(`${name} is not here`);
    const inner = await reference().load();
    return {
      name,
      info: inner.info,
      supports: (problem) =>
        behaviour.refuses
          ? { ok: false, reasons: [{ code: "dtype", message: "not this one" }] }
          : inner.supports(problem),
      plan: async (problem) => {
        log.push("plan");
        const plan = await inner.plan(problem);
        return {
          description: plan.description,
          run: async (inputs) => {
            log.push("run");
            await behaviour.runs;
            if (behaviour.fails) throw behaviour.fails;
            return plan.run(inputs);
          },
          dispose: () => log.push("dispose plan"),
        };
      },
      ...(behaviour.memory && {
        memory: {
          upload: async ({ dtype, shape }: HostTensor) =>
            deviceTensor(
              { backend: name, read: async () => zeros(dtype, shape), release: () => {} },
              { dtype, shape },
            ),
          allocate: () => {
            throw new Error("not in this test");
          },
        },
      }),
      dispose: () => log.push("dispose"),
    };
  };
  return { name, log, toy: behaviour, load };
}

const call = (length = 2): AttentionInputs<HostTensor> => {
  const t = zeros("float32", [1, 1, length, 4]);
  return { query: t, key: t, value: t };
};
const quiet = {
  selfTest: false,
  fallback: "silent",
  load: "on-demand",
} as const satisfies Partial<AttentionOptions>;
const never = new Promise<never>(() => {});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("on demand", () => {
  test("backends are loaded in order until one is ready", async () => {
    const backends = [toy("gone", { unavailable: true }), toy("a"), toy("b")];
    const attention = await createAttention({ ...quiet, backends });
    expect((await attention.run(call())).backend).toBe("a");
    expect(backends.map(({ log }) => log[0])).toEqual(["load", "load", undefined]);
    expect(attention.backends.map(({ status }) => status)).toEqual([
      "unavailable",
      "ready",
      "waiting",
    ]);
    expect(attention.explain(call())).toEqual({
      backend: "a",
      others: [
        { backend: "gone", reasons: [expect.objectContaining({ code: "unavailable" })] },
        { backend: "b", reasons: [{ code: "not-tried", message: "not loaded, since a runs it" }] },
      ],
    });
    await attention.dispose();
  });

  test("the next is loaded by the first call that needs it, once for calls that overlap", async () => {
    const [a, b] = [toy("a", { refuses: true }), toy("b")];
    const attention = await createAttention({ ...quiet, backends: [a, b] });
    expect(attention.explain(call()).backend).toBeNull();
    const results = await Promise.all([attention.run(call()), attention.run(call(3))]);
    expect(results.map(({ backend }) => backend)).toEqual(["b", "b"]);
    expect(b.log.filter((line) => line === "load")).toHaveLength(1);
    await attention.dispose();
    expect(b.log.at(-1)).toBe("dispose");
  });

  test("a recommendation's preferred backend is loaded for each problem, whatever others have loaded", async () => {
    const backends = [toy("a"), toy("b"), toy("gone", { unavailable: true })];
    const select: BackendRecommendation = {
      format: "heed-recommendation",
      version: 1,
      rules: [
        { when: { queryLength: { to: 2 } }, prefer: [{ backend: "a" }] },
        { when: { queryLength: { to: 3 } }, prefer: [{ backend: "b" }] },
        { prefer: [{ backend: "gone" }, { backend: "b" }] },
      ],
    };
    const attention = await createAttention({ ...quiet, backends, select });
    expect((await attention.run(call(2))).backend).toBe("a");
    expect(attention.backends[1]?.status).toBe("waiting");
    expect(attention.explain(call(3)).backend).toBeNull();
    expect((await attention.run(call(3))).backend).toBe("b");
    expect((await attention.run(call(2))).backend).toBe("a");
    expect((await attention.run(call(4))).backend).toBe("b");
    expect(attention.backends[2]?.status).toBe("unavailable");
    await attention.prepare(call(5));
    expect(attention.explain(call(5)).backend).toBe("b");
    await attention.dispose();
  });

  test("uploading loads the first that has memory", async () => {
    const backends = [toy("a"), toy("b", { memory: true }), toy("c")];
    const attention = await createAttention({ ...quiet, backends });
    using uploaded = await attention.upload(zeros("float32", [1, 1, 2, 4]));
    expect(uploaded.backend).toBe("b");
    expect(attention.backends[2]?.status).toBe("waiting");
    await attention.dispose();
  });

  test("the reason for the order is told, for the chosen one and by events", async () => {
    const first = { ...toy("a"), orderReason: "it is the nearest" };
    const attention = await createAttention({ ...quiet, backends: [first, toy("b")] });
    const choices: string[] = [];
    const end = attention.on("choice", ({ backend, reason }) =>
      choices.push(`${backend}: ${reason}`),
    );
    await attention.run(call());
    await attention.run(call());
    end();
    await attention.run(call(3));
    expect(choices).toEqual(["a: it is the nearest"]);
    expect(String(attention.explain(call()))).toMatch(/^a runs it: it is the nearest\n/);
    await attention.dispose();
  });
});

describe("prepare and warmUp", () => {
  test("load, plan, and say what will run", async () => {
    const [a, b] = [toy("a", { refuses: true }), toy("b")];
    const attention = await createAttention({ ...quiet, backends: [a, b] });
    expect((await attention.prepare(describeProblem(call()))).backend).toBe("b");
    expect(b.log).toEqual(["load", "plan"]);
    const progress: string[] = [];
    await attention.warmUp([call(), call(5)], {
      onProgress: (done, all) => progress.push(`${done}/${all}`),
    });
    expect(progress).toEqual(["1/2", "2/2"]);
    expect(b.log).toEqual(["load", "plan", "run", "plan", "run"]);
    await attention.run(call(5));
    expect(b.log.filter((line) => line === "plan")).toHaveLength(2);
    await attention.warmUp([call(6)]);
    expect(b.log.slice(-2)).toEqual(["plan", "run"]);
    // A problem has no tensors to run with.
    await attention.warmUp([describeProblem(call(7))]);
    expect(b.log.slice(-2)).toEqual(["run", "plan"]);
    await attention.dispose();
  });

  test("throw what a call would", async () => {
    const attention = await createAttention({ ...quiet, backends: [toy("a", { refuses: true })] });
    await expect(attention.prepare(call())).rejects.toMatchObject({ code: "unsupported" });
    await expect(attention.warmUp(3 as never)).rejects.toThrow(InvalidInputError);
    await attention.dispose();
    await expect(attention.prepare(call())).rejects.toMatchObject({ code: "disposed" });
  });
});

describe("a backend that fails", () => {
  const recovering = { ...quiet, recover: true } as const;

  test("is followed by the next one, which is told", async () => {
    const a = toy("a", { fails: new Error("boom") });
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const attention = await createAttention({
      ...recovering,
      fallback: "warn",
      backends: [a, toy("b")],
    });
    const told: unknown[] = [];
    attention.on("fallback", ({ from, to, reasons }) => told.push([from, to, reasons[0]?.code]));
    expect((await attention.run(call())).backend).toBe("b");
    expect(told).toEqual([["a", "b", "backend-error"]]);
    expect(warn.mock.calls[0]?.[0]).toMatch(/b ran a call.*\n.*a: .*boom/);
    // One failure is not the end of it.
    a.toy.fails = null;
    expect((await attention.run(call())).backend).toBe("a");
    await attention.dispose();
  });

  test("rejects with its error where none is left, or recovery is not asked for", async () => {
    const fails = new OutOfMemoryError("a", "full");
    const alone = await createAttention({ ...recovering, backends: [toy("a", { fails })] });
    await expect(alone.run(call())).rejects.toBe(fails);
    const refuses = toy("b", { refuses: true });
    const two = await createAttention({ ...recovering, backends: [toy("a", { fails }), refuses] });
    await expect(two.run(call())).rejects.toBe(fails);
    const strict = await createAttention({ ...quiet, backends: [toy("a", { fails }), toy("b")] });
    await expect(strict.run(call())).rejects.toBe(fails);
    await Promise.all([alone.dispose(), two.dispose(), strict.dispose()]);
  });

  test("is given up when its device is lost, and taken up again", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const a = toy("a", { fails: new DeviceLostError("a", "unplugged"), memory: true });
    const attention = await createAttention({ ...recovering, backends: [a, toy("b")] });
    const events: string[] = [];
    attention.on("lost", ({ backend, retryAfter }) => events.push(`lost ${backend} ${retryAfter}`));
    attention.on("recovered", ({ backend }) => events.push(`recovered ${backend}`));
    const key = await attention.upload(zeros("float32", [1, 1, 2, 4]));

    // Calls that overlap all end on the other backend, and the loss is told once.
    const results = await Promise.all([1, 2, 3].map((length) => attention.run(call(length))));
    expect(results.map(({ backend }) => backend)).toEqual(["b", "b", "b"]);
    expect(events).toEqual(["lost a 1000"]);
    expect(a.log.filter((line) => line === "dispose")).toHaveLength(1);
    expect(attention.backends[0]).toMatchObject({
      status: "lost",
      reason: expect.stringMatching(/^given up at .*unplugged/),
    });
    expect(attention.explain(call()).others[0]?.reasons[0]?.code).toBe("lost");
    await expect(attention.run({ ...call(), key })).rejects.toMatchObject({ code: "device-lost" });

    a.toy.fails = null;
    expect((await attention.run(call())).backend).toBe("b");
    vi.advanceTimersByTime(1000);
    await attention.run(call());
    await vi.waitFor(() => expect(events).toEqual(["lost a 1000", "recovered a"]));
    expect((await attention.run(call())).backend).toBe("a");
    await attention.dispose();
  });

  test("is given up after three failures, and waited for longer each time", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const a = toy("a", { fails: new Error("boom") });
    const attention = await createAttention({ ...recovering, backends: [a, toy("b")] });
    const waits: number[] = [];
    attention.on("lost", ({ retryAfter }) => waits.push(retryAfter));
    for (let round = 0; round < 3; round++) {
      while (attention.backends[0]?.status !== "lost") await attention.run(call());
      vi.advanceTimersByTime(4000);
      await attention.run(call());
      await vi.waitFor(() => expect(attention.backends[0]?.status).toBe("ready"));
    }
    expect(waits).toEqual([1000, 2000, 4000]);
    await attention.dispose();
  });

  test("a listener that throws fails no call", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const attention = await createAttention({ ...recovering, backends: [toy("a")] });
    attention.on("choice", () => {
      throw new Error("listener");
    });
    expect((await attention.run(call())).backend).toBe("a");
    expect(warn).toHaveBeenCalledWith("heed: a listener failed: listener");
    expect(() => attention.on("change" as never, () => {})).toThrow(InvalidInputError);
    expect(() => attention.on("lost", 1 as never)).toThrow(InvalidInputError);
    await attention.dispose();
  });
});

describe("limits", () => {
  const aborted = (): AbortSignal => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 5);
    return controller.signal;
  };

  test("a backend that never loads holds up neither createAttention nor what comes later", async () => {
    const options = { ...quiet, backends: [toy("a", { loads: never })] };
    await expect(createAttention({ ...options, timeout: 5 })).rejects.toMatchObject({
      name: "TimeoutError",
    });
    await expect(createAttention({ ...options, signal: aborted() })).rejects.toThrow("enough");
    await expect(
      createAttention({ ...options, signal: AbortSignal.abort(new Error("before")) }),
    ).rejects.toThrow("before");
  });

  test("one that loads too late is released", async () => {
    let arrive = (): void => {};
    const loads = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    const late = toy("late", { loads });
    await expect(createAttention({ ...quiet, backends: [late], timeout: 1 })).rejects.toThrow();
    arrive();
    await vi.waitFor(() => expect(late.log).toEqual(["load", "dispose"]));
  });

  test("a run that never ends holds up neither its caller nor dispose", async () => {
    const a = toy("a", { runs: never });
    const attention = await createAttention({ ...quiet, backends: [a] });
    await expect(attention.run(call(), { timeout: 5 })).rejects.toMatchObject({
      name: "TimeoutError",
    });
    const [first, second] = [attention.run(call(), { signal: aborted() }), attention.dispose()];
    await expect(first).rejects.toThrow("enough");
    await second;
    expect(a.log.at(-1)).toBe("dispose");
  });

  test("a backend that never loads holds up no call with a limit", async () => {
    const backends = [toy("a", { refuses: true }), toy("b", { loads: never })];
    const attention = await createAttention({ ...quiet, backends });
    await expect(attention.run(call(), { timeout: 5 })).rejects.toThrow(/5 ms/);
    await expect(attention.warmUp([call()], { timeout: 5 })).rejects.toThrow(/5 ms/);
    await expect(attention.prepare(call(), { timeout: 5 })).rejects.toThrow(/5 ms/);
  });

  test("results that come too late are released", async () => {
    let end = (): void => {};
    const runs = new Promise<void>((resolve) => {
      end = resolve;
    });
    const disposed = vi.fn();
    const a: AttentionProvider = {
      name: "a",
      load: async () => {
        const backend = await toy("a").load();
        return {
          ...backend,
          plan: async (problem) => ({
            ...(await backend.plan(problem)),
            run: async () => {
              await runs;
              const { dtype, shape } = zeros("float32", [1, 1, 2, 4]);
              const read = async () => zeros("float32", [1, 1, 2, 4]);
              return { output: { backend: "a", dtype, shape, read, dispose: disposed } };
            },
          }),
        };
      },
    };
    const attention = await createAttention({ ...quiet, backends: [a] });
    await expect(attention.run(call(), { timeout: 2 })).rejects.toThrow();
    expect(disposed).not.toHaveBeenCalled();
    end();
    await vi.waitFor(() => expect(disposed).toHaveBeenCalledTimes(1));
    await attention.dispose();
  });

  test("that are none are refused, and calls within them run", async () => {
    const attention = await createAttention({ ...quiet, backends: [toy("a")] });
    const options = { timeout: 60_000, signal: new AbortController().signal };
    expect((await attention.run(call(), options)).backend).toBe("a");
    for (const wrong of [{ timeout: 0 }, { timeout: "1" }, { signal: 1 }, { signals: 1 }, 3]) {
      await expect(attention.run(call(), wrong as never)).rejects.toThrow(InvalidInputError);
    }
    await attention.dispose();
  });

  test.each([
    [{ load: "later" }, "load"],
    [{ recover: 1 }, "recover"],
    [{ recover: true, fallback: "error" }, "recover"],
    [{ timeout: -1 }, "timeout"],
    [{ signal: "stop" }, "signal"],
  ])("options %o are refused", async (options, argument) => {
    const creating = createAttention({ backends: [toy("a")], ...options } as AttentionOptions);
    await expect(creating).rejects.toMatchObject({ argument });
  });
});
