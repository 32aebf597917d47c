import {
  type Attention,
  type AttentionBackend,
  type AttentionInputs,
  type AttentionPlan,
  type AttentionProvider,
  type Backend,
  createAttention,
  type DeviceTensor,
  describeProblem,
  deviceTensor,
  type HostTensor,
  reference,
  slice,
  tensor,
  zeros,
} from "@heed/core";
import { afterEach, describe, expect, test, vi } from "vitest";
import { FastestStrategy } from "../src/select/fastest.js";

/** State that outlives a call: plans, their use, and measurements. */

interface Told {
  readonly log: string[];
  readonly provider: AttentionProvider;
}

interface Toy {
  /** Milliseconds that a run takes. */
  readonly takes?: number;
  /** Value that every output is filled with. */
  readonly value?: number;
}

function toy(name: string, { takes = 0, value = 0 }: Toy = {}): Told {
  const log: string[] = [];
  let plans = 0;
  const load = async (): Promise<AttentionBackend> => ({
    name,
    info: { runtime: "JavaScript", device: "CPU", features: [], threads: 1 },
    supports: () => ({ ok: true }),
    plan: (problem) => {
      const id = ++plans;
      let disposed = false;
      log.push(`plan ${id}`);
      return {
        description: { kernel: "toy", tiles: {}, workspaceBytes: 0, dispatches: 1 },
        run: async () => {
          await new Promise((resolve) => setTimeout(resolve, takes));
          if (disposed) throw new Error("a plan was disposed while a run used it");
          log.push(`run ${id}`);
          const { batch, queryHeads, queryLength, valueDim } = problem;
          const output = zeros("float32", [batch, queryHeads, queryLength, valueDim]);
          output.data.fill(value);
          return { output };
        },
        dispose: () => {
          disposed = true;
          log.push(`dispose ${id}`);
        },
      };
    },
    dispose: () => {},
  });
  return { log, provider: { name, load } };
}

const call = (length: number): AttentionInputs<HostTensor> => {
  const t = zeros("float32", [1, 1, length, 4]);
  return { query: t, key: t, value: t };
};
const quiet = { selfTest: false, fallback: "silent" } as const;

afterEach(() => vi.restoreAllMocks());

describe("plans", () => {
  test("of two backends of one name are two", async () => {
    const [first, second] = [toy("gpu", { value: 1 }), toy("gpu", { value: 2, takes: 5 })];
    const backends = [second.provider, first.provider];
    const attention = await createAttention({ ...quiet, backends, select: "fastest" });
    const { output } = await attention.run(call(3));
    expect(output.data[0]).toBe(1);
    expect(second.log).toContain("plan 1");
    expect(first.log).toContain("plan 1");
    expect((await attention.run(call(3))).output.data[0]).toBe(1);
    await attention.dispose();
  });

  test.each([0, 1, 2])("are not disposed while a run uses them, with %i kept", async (kept) => {
    const { log, provider } = toy("slow", { takes: 10 });
    const attention = await createAttention({
      ...quiet,
      backends: [provider],
      planCacheSize: kept,
    });
    const lengths = [1, 2, 3, 1, 4, 2];
    await Promise.all(lengths.map((length) => attention.run(call(length))));
    await attention.dispose();
    const made = log.filter((line) => line.startsWith("plan")).length;
    expect(log.filter((line) => line.startsWith("run")).length).toBe(lengths.length);
    expect(log.filter((line) => line.startsWith("dispose")).length).toBe(made);
  });

  test("that differ in one number of the problem are two", async () => {
    const { log, provider } = toy("one");
    const attention = await createAttention({ ...quiet, backends: [provider] });
    const base = call(4);
    const changes: Partial<AttentionInputs<HostTensor>>[] = [
      {},
      { causal: true },
      { scale: 0.25 },
      { scale: 0.250_000_1 },
      { softcap: 2 },
      { window: { left: 1 } },
      { window: { right: 1 } },
      { kvLengths: [4] },
      { alibiSlopes: [1] },
      { sinks: [1] },
      { mask: zeros("bool", [4]) },
      { mask: zeros("bool", [4, 1]) },
      { bias: zeros("float32", [4]) },
      { causal: true, queryOffset: "bottom-right" },
      { causal: true, queryOffset: [0] },
    ];
    for (const change of changes) await attention.run({ ...base, ...change });
    expect(log.filter((line) => line.startsWith("plan")).length).toBe(changes.length);
    await attention.dispose();
  });
});

describe('select: "fastest"', () => {
  test.each([0, 1, 2])("keeps the fastest, also as number %i of three", async (place) => {
    const toys = [0, 1, 2].map((i) => toy(`b${i}`, { takes: i === place ? 0 : 25 }));
    const backends = toys.map(({ provider }) => provider);
    const attention = await createAttention({ ...quiet, backends, select: "fastest" });
    expect((await attention.run(call(2))).backend).toBe(`b${place}`);
    expect((await attention.run(call(2))).backend).toBe(`b${place}`);
    expect(attention.explain(call(2)).backend).toBe(`b${place}`);
    await attention.dispose();
  });
});

describe("a measurement", () => {
  const problem = describeProblem(call(2));
  /** Candidates by their milliseconds, the first run's and the later ones'; a clock that their runs turn on. */
  const measured = async (
    budget: number,
    times: Readonly<Record<string, readonly [number, number]>>,
  ) => {
    let now = 0;
    const runs: string[] = [];
    const strategy = new FastestStrategy(budget, () => now);
    const candidates = Object.keys(times).map((name) => ({ name, info: null }));
    const fastest = await strategy.measure(problem, candidates, async ({ name }) => {
      const [first, later] = times[name] as readonly [number, number];
      now += runs.includes(name) ? later : first;
      runs.push(name);
      return {};
    });
    const reasons = candidates.map((c) => strategy.whyNot(problem, c, fastest).code);
    return { fastest: fastest.name, runs: runs.join(""), now, reasons };
  };

  test("forgives a slow first run, and stops what is far behind", async () => {
    const times = { a: [900, 100], b: [900, 90], c: [400, 310], d: [990, 990] } as const;
    expect(await measured(10_000, times)).toEqual({
      fastest: "b",
      runs: "aaaabbbbcccdd",
      now: 900 + 300 + 900 + 270 + 400 + 620 + 1980,
      reasons: ["slower", "slower", "slower", "slower"],
    });
  });

  test("begins no run after its budget, and says what was not measured", async () => {
    const { fastest, runs, reasons } = await measured(100, { a: [50, 10], b: [15, 5], c: [1, 1] });
    expect(fastest).toBe("b");
    expect(runs).toBe("aaaabb");
    expect(reasons).toEqual(["slower", "slower", "not-measured"]);
    expect((await measured(0, { a: [50, 40], b: [1, 1] })).runs).toBe("a");
  });

  test("has options that are checked", async () => {
    const { provider } = toy("one");
    for (const fastest of [null, 5, { budget: -1 }, { budget: "5" }, { time: 5 }]) {
      const options = { backends: [provider], select: { fastest } } as never;
      await expect(createAttention(options)).rejects.toThrow(/fastest/);
    }
    const select = { fastest: { budget: 5 } };
    await (await createAttention({ backends: [provider], selfTest: false, select })).dispose();
  });
});

describe("lengths", () => {
  const key = zeros("float32", [1, 1, 4, 2]);
  test("past the cache are refused, also if the query is longer", () => {
    const query = zeros("float32", [1, 1, 9, 2]);
    const of = (length: number) =>
      describeProblem({ query, key, value: key, kvLengths: [length], queryOffset: 0 });
    expect(of(4).kvLengths).toBe(true);
    for (const length of [5, 9, -1]) expect(() => of(length)).toThrow(/kvLengths/);
  });

  test("that another read finds changed are refused, too", async () => {
    const attention = await createAttention({ backends: [reference()] });
    let reads = 0;
    const kvLengths = new Proxy([2], {
      get: (list, name) => (name === "0" ? (reads++ === 0 ? 2 : 1000) : Reflect.get(list, name)),
    });
    const query = zeros("float32", [1, 1, 1, 2]);
    let error: unknown;
    for (let i = 0; i < 4 && error === undefined; i++) {
      await attention.run({ query, key, value: key, kvLengths }).catch((thrown) => {
        error = thrown;
      });
    }
    expect(error).toMatchObject({ code: "invalid-input", argument: "kvLengths" });
    await attention.dispose();
  });
});

describe("the event loop", () => {
  /** Calls of some 2 ms each, which never let go of the thread by themselves. */
  const busy: AttentionProvider = {
    name: "busy",
    load: async (): Promise<AttentionBackend> => {
      const inner = await toy("busy").provider.load();
      return {
        ...inner,
        plan: (problem) => ({
          description: { kernel: "busy", tiles: {}, workspaceBytes: 0, dispatches: 1 },
          run: async () => {
            const end = performance.now() + 2;
            while (performance.now() < end);
            const { batch, queryHeads, queryLength, valueDim } = problem;
            return { output: zeros("float32", [batch, queryHeads, queryLength, valueDim]) };
          },
          dispose: () => {},
        }),
      };
    },
  };

  test("gets turns between awaited calls", async () => {
    const attention = await createAttention({ ...quiet, backends: [busy] });
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    for (let i = 0; i < 100; i++) await attention.run(call(1));
    clearInterval(timer);
    // 200 ms of work in turns of some 12 ms.
    expect(ticks).toBeGreaterThan(5);
    await attention.dispose();
  });

  test("does not wait for one after each short call", async () => {
    const { provider } = toy("quick");
    const attention = await createAttention({ backends: [reference(), provider], ...quiet });
    let turns = 0;
    let counting = true;
    const count = (): void => {
      turns++;
      if (counting) setTimeout(count, 0);
    };
    count();
    for (let i = 0; i < 200; i++) await attention.run(call(1));
    counting = false;
    expect(turns).toBeLessThan(150);
    await attention.dispose();
  });
});

describe("dispose waits for a call that runs", () => {
  const [first, second] = [call(1), call(2)];
  test.each<[string, (attention: Attention) => Promise<unknown>]>([
    ["that came first", async () => {}],
    ["after another", (attention) => attention.run(first)],
    [
      "after calls at once",
      (attention) => Promise.all([first, first].map((c) => attention.run(c))),
    ],
    ["after its plan was made", (attention) => attention.prepare(second)],
    ["after its plan was measured", (attention) => attention.prepare(second, { tune: true })],
    ["after warming up", (attention) => attention.warmUp([first, second])],
    ["after one that was refused", (attention) => attention.run({} as never).catch(() => {})],
    [
      "after one that nobody waited for",
      (attention) => attention.run(first, { timeout: 1 }).catch(() => {}),
    ],
  ])("%s", async (_, before) => {
    for (const select of ["order", "fastest"] as const) {
      const toys = [toy("a", { takes: 5 }), toy("b", { takes: 5 })];
      const backends = toys.map(({ provider }) => provider);
      const load = select === "order" ? "on-demand" : "all";
      const attention = await createAttention({ ...quiet, backends, select, load });
      await before(attention);
      await new Promise((resolve) => setTimeout(resolve, 10));
      const order: string[] = [];
      const running = attention.run(second).then(() => order.push("run"));
      await attention.dispose().then(() => order.push("disposed"));
      await running;
      expect([select, order]).toEqual([select, ["run", "disposed"]]);
    }
  });

  test("and no plan is made afterwards, for a call that is prepared meanwhile", async () => {
    const { log, provider } = toy("slow", { takes: 5 });
    const attention = await createAttention({ ...quiet, backends: [provider] });
    const preparing = attention.prepare(first).catch((error) => error);
    await attention.dispose();
    expect(await preparing).toMatchObject({ code: "disposed" });
    expect(log).toEqual([]);
  });
});

test("await using releases an attention", async () => {
  const { log, provider } = toy("used");
  const attention = await createAttention({ ...quiet, backends: [provider] });
  await attention.run({ ...call(1), query: tensor([1, 2, 3, 4], [1, 1, 1, 4]) });
  await attention[Symbol.asyncDispose]();
  expect(log).toEqual(["plan 1", "run 1", "dispose 1"]);
  await expect(attention.run(call(1))).rejects.toMatchObject({ code: "disposed" });
});

test("tensors, plans and backends have the methods of using", async () => {
  const released: string[] = [];
  const storage = {
    backend: "toy",
    read: async () => zeros("float32", [2]),
    release: () => released.push("tensor"),
  };
  {
    using made = deviceTensor(storage, { dtype: "float32", shape: [2] }) as DeviceTensor &
      Disposable;
    using view = slice(made, 0, 1) as DeviceTensor & Disposable;
    expect([made.disposed, view.disposed, released]).toEqual([false, false, []]);
  }
  expect(released).toEqual(["tensor"]);

  const backend = (await reference().load()) as Backend & Disposable;
  const problem = describeProblem(call(1));
  {
    using plan = (await backend.plan(problem)) as AttentionPlan & Disposable;
    expect((await plan.run(call(1))).output.shape).toEqual([1, 1, 1, 4]);
  }
  backend[Symbol.dispose]();
  expect(() => backend.plan(problem)).toThrow(/disposed/);
});
