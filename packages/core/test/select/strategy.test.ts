/** A strategy: its rights over the attention that it serves, and when it is asked and told. */
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  type AttentionInputs,
  BackendUnavailableError,
  describeProblem,
  type HostTensor,
  reference,
  zeros,
} from "../../src/index.js";
import type { AttentionProvider, Backend } from "../../src/operation/backend.js";
import { FastestStrategy } from "../../src/select/fastest.js";
import { openAttention } from "../../src/select/open-attention.js";
import type { Candidate, Strategy, StrategyControl } from "../../src/select/strategy.js";

interface Toy {
  readonly missing?: boolean;
  readonly refuses?: boolean;
  readonly failsToPlan?: boolean;
  readonly waits?: Promise<unknown>;
}

function toy(name: string, behaviour: Toy = {}) {
  const log: string[] = [];
  const load = async (): Promise<Backend> => {
    log.push("load");
    if (behaviour.missing) throw new BackendUnavailableError("not here");
    const inner = await reference().load();
    return {
      name,
      info: inner.info,
      supports: (problem) =>
        behaviour.refuses
          ? { ok: false, reasons: [{ code: "mood", message: "not today" }] }
          : inner.supports(problem),
      plan: async (problem) => {
        log.push("plan");
        await behaviour.waits;
        if (behaviour.failsToPlan) throw new Error("no plan");
        const plan = await inner.plan(problem);
        return {
          description: plan.description,
          run: (inputs) => {
            log.push("run");
            return plan.run(inputs);
          },
          dispose: () => log.push("dispose plan"),
        };
      },
      dispose: () => log.push("dispose"),
    };
  };
  return { name, load, log };
}

const call = (length = 2): AttentionInputs<HostTensor> => {
  const t = zeros("float32", [1, 1, length, 4]);
  return { query: t, key: t, value: t };
};
const problem = describeProblem(call());

/** An attention that a strategy serves, with the strategy's control. */
async function served(providers: readonly AttentionProvider[], strategy: Partial<Strategy> = {}) {
  let control = null as StrategyControl | null;
  const attention = await openAttention({
    ...{
      providers,
      load: "on-demand",
      makeTest: null,
      maxWorkspaceBytes: Number.POSITIVE_INFINITY,
    },
    ...{ fallback: "silent", planCacheSize: 8, recover: false },
    strategy: {
      attach: (given) => {
        control = given;
      },
      whyNot: (_, candidate, chosen) => ({
        code: "slower",
        message: `${candidate.name} after ${chosen?.name}`,
      }),
      ...strategy,
    },
  });
  return { attention, control: control as unknown as StrategyControl };
}

const placeOf = ({ candidates }: StrategyControl, name: string) =>
  candidates.find((candidate) => candidate.name === name) as Candidate;

afterEach(() => vi.restoreAllMocks());

describe("a strategy's control", () => {
  test("loads a backend that was not tried, once, without a call", async () => {
    const [a, b, gone] = [toy("a"), toy("b"), toy("gone", { missing: true })];
    const { attention, control } = await served([a, b, gone]);
    expect(control.candidates.map(({ name, info }) => [name, info !== null])).toEqual([
      ["a", true],
      ["b", false],
      ["gone", false],
    ]);
    await control.load(placeOf(control, "b"));
    await control.load(placeOf(control, "b"));
    await control.load(placeOf(control, "a"));
    await control.load(placeOf(control, "gone"));
    await control.load({ name: "b", info: null });
    expect([a.log, b.log, gone.log]).toEqual([["load"], ["load"], ["load"]]);
    expect(attention.backends.map(({ status }) => status)).toEqual([
      "ready",
      "ready",
      "unavailable",
    ]);
    // Answers about problems are worked out anew: b can run it by now.
    expect(attention.explain(call()).others[0]?.reasons[0]?.code).toBe("slower");
    await attention.dispose();
  });

  test("routes that are known take in what it has loaded", async () => {
    const { attention, control } = await served([toy("a"), toy("b")]);
    expect(attention.explain(call()).others[0]?.reasons[0]?.code).toBe("not-tried");
    await control.load(placeOf(control, "b"));
    expect(attention.explain(call()).others[0]?.reasons[0]?.code).toBe("slower");
    await attention.dispose();
  });

  test("plans ahead on a loaded backend that computes the problem, and says whether it did", async () => {
    const [a, b] = [toy("a"), toy("b")];
    const refuses = toy("refuses", { refuses: true });
    const fails = toy("fails", { failsToPlan: true });
    const { attention, control } = await served([a, b, refuses, fails]);
    const plan = (name: string) => control.plan(placeOf(control, name), problem);
    expect(await plan("b")).toBe(false);
    for (const name of ["b", "refuses", "fails"]) await control.load(placeOf(control, name));
    expect([await plan("a"), await plan("b")]).toEqual([true, true]);
    expect([await plan("refuses"), await plan("fails")]).toEqual([false, false]);
    expect(await control.plan({ name: "a", info: null }, problem)).toBe(false);
    expect([a.log, b.log]).toEqual([
      ["load", "plan"],
      ["load", "plan"],
    ]);
    // The plan is there for a call.
    await attention.run(call());
    expect(a.log).toEqual(["load", "plan", "run"]);
    await attention.dispose();
  });

  test("does nothing more once the attention is disposed, which does not wait for its plans", async () => {
    let go = (): void => {};
    const waits = new Promise<void>((resolve) => {
      go = resolve;
    });
    const [a, b] = [toy("a", { waits }), toy("b")];
    const { attention, control } = await served([a, b]);
    const planning = control.plan(placeOf(control, "a"), problem);
    await vi.waitFor(() => expect(a.log).toContain("plan"));
    await attention.dispose();
    await control.load(placeOf(control, "b"));
    expect(b.log).toEqual([]);
    expect(await control.plan(placeOf(control, "a"), problem)).toBe(false);
    go();
    expect(await planning).toBe(false);
    await vi.waitFor(() => expect(a.log.at(-1)).toBe("dispose plan"));
  });

  test("tells listeners what it chose", async () => {
    const { attention, control } = await served([toy("a")]);
    const told: unknown[] = [];
    const end = attention.on("choice", (detail) => told.push(detail));
    control.chose(problem, placeOf(control, "a"), "it is the only one");
    end();
    control.chose(problem, placeOf(control, "a"), "nobody hears it");
    expect(told).toEqual([{ problem, backend: "a", reason: "it is the only one" }]);
    await attention.dispose();
  });
});

describe("a strategy", () => {
  test("chooses for every call of two or more backends, and is told by explain's that none runs", async () => {
    const asked: unknown[] = [];
    const saw: unknown[] = [];
    const choose = <C extends Candidate>(_: unknown, candidates: readonly C[], isCall: boolean) => {
      asked.push([candidates.map(({ name }) => name).join(""), isCall]);
      return candidates.at(-1);
    };
    const { attention, control } = await served([toy("a"), toy("b")], {
      choose,
      why: (_, { name }) => `${name} is last`,
      saw: (seen, { name }, milliseconds) => saw.push([seen, name, milliseconds >= 0]),
    });
    expect((await attention.run(call())).backend).toBe("a");
    expect(asked).toEqual([]);
    await control.load(placeOf(control, "b"));
    expect((await attention.run(call())).backend).toBe("b");
    const { backend, why, others } = attention.explain(call());
    expect([backend, why]).toEqual(["b", "b is last"]);
    expect(others).toEqual([{ backend: "a", reasons: [{ code: "slower", message: "a after b" }] }]);
    expect(asked).toEqual([
      ["ab", true],
      ["ab", false],
    ]);
    // Only calls whose plan was there are timed, and those beside which no other ran.
    expect(saw).toEqual([]);
    await attention.run(call());
    expect(saw).toEqual([[problem, "b", true]]);
    await Promise.all([attention.run(call()), attention.run(call())]);
    expect(saw).toHaveLength(1);
    await attention.dispose();
  });

  test("that measures gets the call to run on each, and may fail, which the call does then", async () => {
    let fails = false;
    const [a, b] = [toy("a"), toy("b")];
    const { attention, control } = await served([a, b], {
      choose: () => undefined,
      measure: async (_, candidates, run) => {
        if (fails) throw new Error("no clock");
        for (const candidate of candidates) {
          const outputs = await run(candidate);
          expect(Object.keys(outputs)).toContain("output");
        }
        return candidates[1] as (typeof candidates)[number];
      },
    });
    await control.load(placeOf(control, "b"));
    expect((await attention.run(call())).backend).toBe("b");
    expect([a.log, b.log]).toEqual([
      ["load", "plan", "run"],
      ["load", "plan", "run", "run"],
    ]);
    expect(attention.explain(call())).toMatchObject({
      backend: null,
      others: [{ reasons: [{ message: "a after undefined" }] }, {}],
    });
    fails = true;
    await expect(attention.run(call())).rejects.toThrow("no clock");
    // The call that failed is over: nothing is waited for.
    await attention.dispose();
  });

  test("ends what it has under way before backends are disposed", async () => {
    const a = toy("a");
    const ended: string[] = [];
    const { attention } = await served([a], {
      dispose: async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        ended.push(...a.log);
      },
    });
    await attention.run(call());
    await attention.dispose();
    expect(ended).toEqual(["load", "plan", "run"]);
    expect(a.log.slice(3)).toEqual(["dispose plan", "dispose"]);
  });
});

describe("the fastest", () => {
  const candidates = ["a", "b"].map((name) => ({ name, info: null }));
  const other = (n: number) => ({ operation: "other", key: `${n}` }) as never;
  const quickly = async () => ({});

  test("is measured once for calls of a class that overlap; then it is known", async () => {
    const chose: unknown[] = [];
    const strategy = new FastestStrategy(1000, () => 0);
    strategy.attach({ chose: (...told: unknown[]) => chose.push(told) } as never);
    let runs = 0;
    const run = async () => {
      runs += 1;
      return {};
    };
    const both = [1, 2].map(() => strategy.measure(other(0), candidates, run));
    expect(strategy.choose(other(0), candidates)).toBeUndefined();
    expect((await Promise.all(both)).map(({ name }) => name)).toEqual(["a", "a"]);
    expect(runs).toBe(8);
    expect(strategy.choose(other(0), candidates)).toBe(candidates[0]);
    expect(chose).toEqual([[other(0), candidates[0], "measured to be the fastest"]]);
    expect(strategy.whyNot(other(1), candidates[1] as Candidate, undefined).code).toBe(
      "not-measured",
    );
    expect(strategy.whyNot(other(0), candidates[1] as Candidate, candidates[0]).code).toBe(
      "slower",
    );
  });

  test("is forgotten where its measurement is the oldest of too many, also if it ends later", async () => {
    const strategy = new FastestStrategy(0, () => 0);
    let end = (): void => {};
    const slow = strategy.measure(
      other(0),
      candidates,
      () =>
        new Promise<object>((resolve) => {
          end = () => resolve({});
        }),
    );
    for (let n = 1; n <= 1024; n++) await strategy.measure(other(n), candidates, quickly);
    end();
    expect((await slow).name).toBe("a");
    expect(strategy.choose(other(0), candidates)).toBeUndefined();
    expect(strategy.choose(other(1), candidates)).toBe(candidates[0]);
  });

  test("is measured anew where a run failed", async () => {
    const strategy = new FastestStrategy(1000, () => 0);
    const failing = async () => {
      throw new Error("broken");
    };
    await expect(strategy.measure(other(0), candidates, failing)).rejects.toThrow("broken");
    expect(strategy.choose(other(0), candidates)).toBeUndefined();
    expect((await strategy.measure(other(0), candidates, quickly)).name).toBe("a");
  });

  test("waits for outputs on a device, and disposes them", async () => {
    const log: string[] = [];
    const held = () => ({
      ...{ backend: "held", dtype: "float32", shape: [1] },
      read: async () => {
        log.push("read");
        return zeros("float32", [1]);
      },
      dispose: () => log.push("dispose"),
    });
    const strategy = new FastestStrategy(1000, () => 0);
    await strategy.measure(other(0), candidates.slice(0, 1), async () => ({
      ...{ output: held(), weights: undefined, logSumExp: held(), host: zeros("float32", [1]) },
    }));
    const round = ["read", "dispose", "dispose"];
    expect(log).toEqual([...round, ...round, ...round, ...round]);
  });
});
