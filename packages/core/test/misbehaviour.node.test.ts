import { inspect } from "node:util";
import {
  type AttentionBackend,
  type AttentionOptions,
  type AttentionPlan,
  BackendError,
  BackendUnavailableError,
  createAttention,
  type HostTensor,
  InvalidInputError,
  reference,
  type Tensor,
  tensor,
  zeros,
} from "@heed/core";
import { afterEach, describe, expect, test, vi } from "vitest";

const inputs = (length = 2) => ({
  query: zeros("float32", [1, 1, length, 4]),
  key: zeros("float32", [1, 1, length, 4]),
  value: zeros("float32", [1, 1, length, 4]),
});
const quiet = { selfTest: false, fallback: "silent" } satisfies Partial<AttentionOptions>;

/** The reference with some of its methods, and some of its plans' methods, replaced. */
function provider(
  name: string,
  backend: Partial<Record<keyof AttentionBackend, unknown>> = {},
  plan: Partial<Record<keyof AttentionPlan, unknown>> = {},
) {
  return {
    name,
    load: async () => {
      const inner = await reference().load();
      return {
        name,
        info: inner.info,
        supports: (problem: never) => inner.supports(problem),
        plan: async (problem: never) => {
          const made = (await inner.plan(problem)) as AttentionPlan;
          return {
            description: made.description,
            run: (call: never) => made.run(call),
            dispose: () => made.dispose(),
            ...plan,
          };
        },
        dispose: () => inner.dispose(),
        ...backend,
      } as AttentionBackend;
    },
  };
}

const throwing = () => {
  throw new TypeError("boom");
};
const unreadable = {
  get message(): string {
    throw new Error("not even this");
  },
  toString: throwing,
};

afterEach(() => vi.restoreAllMocks());

describe("a provider that misbehaves", () => {
  test.each<[string, unknown, RegExp]>([
    ["an object without a prototype", Object.create(null), /failed to load/],
    ["something whose message throws", unreadable, /failed to load/],
    ["undefined", undefined, /failed to load: undefined/],
    ["a string", "no", /failed to load: "no"/],
  ])("load that rejects with %s is a reason", async (_, thrown, reason) => {
    const broken = { name: "broken", load: () => Promise.reject(thrown) };
    const heed = await createAttention({ ...quiet, backends: [broken, reference()] });
    expect(heed.backends[0]).toMatchObject({ status: "unavailable" });
    expect((heed.backends[0] as { reason: string }).reason).toMatch(reason);
    await heed.dispose();
  });

  test.each([null, undefined, 5, {}, { info: {}, supports: () => ({ ok: true }) }])(
    "load that resolves with %s is a reason",
    async (value) => {
      const broken = { name: "broken", load: async () => value as never };
      const failed = createAttention({ ...quiet, backends: [broken] });
      await expect(failed).rejects.toThrow(BackendUnavailableError);
      await expect(failed).rejects.toThrow(/no backend/);
    },
  );

  test.each<[string, unknown]>([
    ["throws", throwing],
    ["returns nothing", () => undefined],
    ["refuses without reasons", () => ({ ok: false })],
  ])("supports that %s is a reason, and the next backend runs", async (_, supports) => {
    const heed = await createAttention({
      ...quiet,
      backends: [provider("broken", { supports }), reference()],
    });
    expect((await heed.run(inputs())).backend).toBe("reference");
    expect(heed.explain(inputs()).others).toMatchObject([
      { backend: "broken", reasons: [{ code: "backend-error" }] },
    ]);
    await heed.dispose();
  });

  test.each<[string, object, object]>([
    ["plan throws", { plan: throwing }, {}],
    ["plan rejects", { plan: () => Promise.reject(new TypeError("boom")) }, {}],
    ["plan gives nothing", { plan: () => undefined }, {}],
    ["run throws", {}, { run: throwing }],
    ["run rejects", {}, { run: () => Promise.reject(unreadable) }],
    ["run gives nothing", {}, { run: async () => undefined }],
  ])("%s: a typed error that names the backend and keeps the cause", async (_, backend, plan) => {
    const heed = await createAttention({
      ...quiet,
      backends: [provider("broken", backend, plan)],
    });
    const error = await heed.run(inputs()).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(BackendError);
    expect(error).toMatchObject({ code: "backend-error", backend: "broken" });
    await heed.dispose();
  });

  test("what it throws on purpose comes through as it is", async () => {
    const error = new InvalidInputError("query", "another one", "this one");
    const heed = await createAttention({
      ...quiet,
      backends: [provider("strict", {}, { run: () => Promise.reject(error) })],
    });
    await expect(heed.run(inputs())).rejects.toBe(error);
    await heed.dispose();
  });

  test("a dispose that throws keeps nothing else from being released, and is reported", async () => {
    const log: string[] = [];
    const backends = ["a", "b", "c"].map((name) =>
      provider(name, {
        dispose: () => {
          log.push(name);
          if (name === "b") throwing();
        },
      }),
    );
    const heed = await createAttention({ ...quiet, backends });
    await expect(heed.dispose()).rejects.toMatchObject({ code: "backend-error", backend: "b" });
    expect(log).toEqual(["a", "b", "c"]);
  });

  test("where createAttention fails, what had loaded is released", async () => {
    const log: string[] = [];
    const loaded = ["a", "b"].map((name) =>
      provider(name, {
        dispose: () => {
          log.push(name);
          throwing();
        },
      }),
    );
    const missing = { name: "missing", load: () => Promise.reject(new Error("gone")) };
    const failed = createAttention({
      backends: [...loaded, missing],
      selfTest: false,
      fallback: "error",
    });
    await expect(failed).rejects.toThrow(BackendUnavailableError);
    expect(log).toEqual(["a", "b"]);
  });

  test("a plan whose dispose throws when it leaves the cache is a warning, once", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const heed = await createAttention({
      ...quiet,
      backends: [provider("broken", {}, { dispose: throwing })],
      planCacheSize: 1,
    });
    for (let length = 1; length < 5; length++) await heed.run(inputs(length));
    await new Promise((resolve) => setTimeout(resolve));
    expect(warn).toHaveBeenCalledTimes(1);
    await heed.dispose();
  });
});

describe("a fallback", () => {
  test("is reported once for the same reasons, whatever their text says", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    let calls = 0;
    const supports = () => {
      calls += 1;
      return { ok: false, reasons: [{ code: "length", message: `no length of ${calls}` }] };
    };
    const heed = await createAttention({
      backends: [provider("short", { supports }), reference()],
      selfTest: false,
    });
    for (let length = 1; length < 20; length++) await heed.run(inputs(length));
    expect(calls).toBe(19);
    expect(warn).toHaveBeenCalledTimes(1);
    await heed.dispose();
  });
});

describe("an input that changes while a call is pending", () => {
  const pending = async (spoil: (t: HostTensor) => void): Promise<unknown> => {
    const heed = await createAttention({ ...quiet, backends: [reference()] });
    const call = inputs();
    const running = heed.run(call);
    spoil(call.key);
    const error = await running.catch((thrown: unknown) => thrown);
    await heed.dispose();
    return error;
  };

  test("is an error that names it if its buffer was transferred away", async () => {
    const error = await pending((key) => {
      structuredClone(key.data.buffer, { transfer: [key.data.buffer as ArrayBuffer] });
    });
    expect(error).toBeInstanceOf(InvalidInputError);
    expect(error).toMatchObject({ argument: "key", actual: "a detached buffer" });
    // Whatever the backend said of it, or else what was found.
    expect((error as InvalidInputError).cause).toBeInstanceOf(Error);
  });

  test("may be another object from then on: the call has its own", async () => {
    const heed = await createAttention({ ...quiet, backends: [reference()] });
    const call: Record<string, Tensor> = inputs();
    const running = heed.run(call as never);
    call.value = tensor(new Float32Array(1), [1, 1, 1, 1]);
    expect((await running).output.shape).toEqual([1, 1, 2, 4]);
    await heed.dispose();
  });
});

describe("an explanation", () => {
  test("prints its reasons wherever it is shown", async () => {
    const supports = () => ({
      ok: false,
      reasons: [{ code: "dtype", message: "knows no float32", hint: "cast it" }],
    });
    const heed = await createAttention({
      ...quiet,
      backends: [provider("picky", { supports }), reference()],
    });
    const shown = heed.explain(inputs());
    const text = "reference runs it\n  picky: knows no float32 (cast it)";
    expect(shown.text).toBe(text);
    expect(`${shown}`).toBe(text);
    expect(inspect(shown)).toBe(text);
    expect(JSON.parse(JSON.stringify(shown))).toEqual({
      backend: "reference",
      others: [{ backend: "picky", reasons: supports().reasons }],
    });
    await heed.dispose();
  });
});

describe("dispose", () => {
  const never = () => new Promise<never>(() => {});

  test.each<[string, Parameters<typeof provider>[1], Parameters<typeof provider>[2]]>([
    ["run", {}, { run: never }],
    ["plan", { plan: never }, {}],
  ])("ends though the %s of a call without limits never settles", async (_, backend, plan) => {
    const disposed: string[] = [];
    const heed = await createAttention({
      ...quiet,
      backends: [
        provider(
          "hung",
          { ...backend, dispose: () => disposed.push("backend") },
          { ...plan, dispose: () => disposed.push("plan") },
        ),
      ],
    });
    heed.run(inputs()).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 5));
    const start = performance.now();
    await heed.dispose({ timeout: 20 });
    expect(performance.now() - start).toBeGreaterThan(15);
    expect(disposed).toEqual(backend?.plan ? ["backend"] : ["plan", "backend"]);
    await heed.dispose();
  });

  test("checks its options before it releases anything", async () => {
    const heed = await createAttention({ ...quiet, backends: [reference()] });
    for (const wrong of [{ timeout: 0 }, { timeout: "1" }, { timeuot: 1 }, 5]) {
      await expect(heed.dispose(wrong as never)).rejects.toBeInstanceOf(InvalidInputError);
    }
    expect((await heed.run(inputs())).backend).toBe("reference");
    await heed.dispose();
  });
});

test("misspelt options are refused", async () => {
  const options = { backends: [reference()], selct: "fastest" };
  await expect(createAttention(options as AttentionOptions)).rejects.toMatchObject({
    code: "invalid-input",
    argument: "options.selct",
  });
});
