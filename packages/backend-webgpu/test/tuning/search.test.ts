/** The bounded search for the fastest candidate, on candidates that only pretend to compute. */
import { expect, test } from "vitest";
import { type Subject, search, type Trial } from "../../src/attention/tuning/search.js";

interface Pretended {
  readonly name: string;
  readonly ms: number;
  /** Milliseconds of compiling. */
  readonly compiles?: number;
  /** Differs from the rule's results. */
  readonly wrong?: boolean;
  /** Fails at compiling, or at a run. */
  readonly fails?: "compile" | "run";
  readonly fatal?: boolean;
}

const rule: Pretended = { name: "rule", ms: 10 };

/** A search on a clock that only candidates move. */
function pretend(
  shapes: readonly Pretended[],
  options: { variants?: readonly Pretended[]; rule?: Pretended; ahead?: number } = {},
) {
  const state = { now: 0, open: 0, runs: new Map<string, number>(), tried: [] as string[] };
  const open = async (candidate: Pretended): Promise<Trial> => {
    state.now += candidate.compiles ?? 0;
    if (candidate.fails === "compile") throw new Error("does not compile");
    state.open += 1;
    const run = () => {
      state.now += candidate.ms;
      state.runs.set(candidate.name, (state.runs.get(candidate.name) ?? 0) + 1);
      if (candidate.fatal) throw new RangeError("the device is lost");
      if (candidate.fails === "run") throw new Error("does not run");
    };
    return {
      check: async () => {
        run();
        return candidate.wrong ? "output differs in row 3" : null;
      },
      time: async () => {
        run();
        return candidate.ms;
      },
      dispose: () => {
        state.open -= 1;
      },
    };
  };
  const subject: Subject<Pretended> = {
    rule: options.rule ?? rule,
    stages: [shapes],
    variants: (_, tried) => (options.variants ?? []).filter((one) => !tried.includes(one)),
    ahead: options.ahead ?? 0,
    open,
    isFatal: (error) => error instanceof RangeError,
    onTry: ({ name }) => state.tried.push(name),
    now: () => state.now,
  };
  return { subject, state };
}

const named = ({ name }: Pretended) => name;

test("the fastest candidate wins by the median over rounds, and everything is disposed", async () => {
  const { subject, state } = pretend([
    { name: "slow", ms: 30 },
    { name: "fast", ms: 5 },
    { name: "faster", ms: 4 },
  ]);
  const { best, gain, tried } = await search(subject, 10_000);
  expect(named(best)).toBe("faster");
  expect(gain).toBe(2.5);
  expect(tried.map(({ candidate }) => named(candidate)).sort()).toEqual(
    ["rule", "slow", "fast", "faster"].sort(),
  );
  expect(named((tried[0] as (typeof tried)[number]).candidate)).toBe("rule");
  expect(state.open).toBe(0);
  // One that is far behind runs twice: once to be checked, once to be timed.
  expect(state.runs.get("slow")).toBe(2);
});

test("variants of the best are tried, too", async () => {
  const { subject } = pretend([{ name: "fast", ms: 8 }], {
    variants: [{ name: "fast in parts", ms: 2 }],
  });
  expect(named((await search(subject, 10_000)).best)).toBe("fast in parts");
});

test("stages come one after another, each with variants of the fastest until then", async () => {
  const { subject, state } = pretend([{ name: "near", ms: 9 }]);
  const stages = [...subject.stages, [{ name: "far", ms: 3 }]];
  const variants: Subject<Pretended>["variants"] = (best) => [
    { ...best, name: `${best.name} in parts`, ms: best.ms - 1 },
  ];
  const { best } = await search({ ...subject, stages, variants }, 10_000);
  expect(state.tried).toEqual(["rule", "near", "near in parts", "far", "far in parts"]);
  expect(named(best)).toBe("far in parts");
});

test("a candidate whose results differ never wins, however fast it is", async () => {
  const { subject, state } = pretend([{ name: "wrong", ms: 0.01, wrong: true }]);
  const { best, gain, tried } = await search(subject, 10_000);
  expect([named(best), gain]).toEqual(["rule", 1]);
  expect(tried.at(-1)?.outcome).toEqual({ status: "wrong", reason: "output differs in row 3" });
  expect(state.runs.get("wrong")).toBe(1);
  expect(state.open).toBe(0);
});

test.each(["compile", "run"] as const)("one that fails to %s is passed over", async (fails) => {
  const { subject, state } = pretend([
    { name: "broken", ms: 1, fails },
    { name: "fast", ms: 5 },
  ]);
  const { best, tried } = await search(subject, 10_000);
  expect(named(best)).toBe("fast");
  const outcome = tried.find(({ candidate }) => named(candidate) === "broken")?.outcome;
  expect(outcome).toEqual({ status: "failed", reason: `does not ${fails}` });
  expect(state.open).toBe(0);
});

test("the loss of the device ends the search, and the last candidate is known", async () => {
  const { subject, state } = pretend([
    { name: "fast", ms: 5 },
    { name: "deadly", ms: 1, fatal: true },
  ]);
  await expect(search(subject, 10_000)).rejects.toThrow("the device is lost");
  expect(state.tried.at(-1)).toBe("deadly");
  expect(state.open).toBe(0);
});

test("nothing begins when the time is over, which is counted from the rule's first run on", async () => {
  const shapes = Array.from({ length: 50 }, (_, i) => ({ name: `${i}`, ms: 9, compiles: 50 }));
  const { subject, state } = pretend(shapes, { rule: { name: "rule", ms: 10, compiles: 300 } });
  const { tried } = await search(subject, 1000);
  // Beyond the budget by no more than one candidate takes.
  expect(state.now - 310).toBeLessThanOrEqual(1000 + 50 + 5 * 9);
  const skipped = tried.filter(({ outcome }) => outcome.status === "skipped").length;
  expect(skipped).toBeGreaterThan(25);
  expect(tried.length).toBe(51);
});

test("nothing begins where it would take longer than is left, by what others took", async () => {
  const slow = [1, 2, 3].map((i) => ({ name: `${i}`, ms: 1, compiles: 5000 }));
  const long = pretend(slow, { rule: { name: "rule", ms: 10, compiles: 5000 } });
  await search(long.subject, 1000);
  expect(long.state.tried).toEqual(["rule"]);
  // The first one shows how long they take.
  const short = pretend(slow);
  await search(short.subject, 6000);
  expect(short.state.tried).toEqual(["rule", "1"]);
});

test("a rule's choice that takes longer than the time is run once, and nothing else is", async () => {
  const slow = { name: "rule", ms: 40_000, compiles: 60_000 };
  const { subject, state } = pretend([{ name: "fast", ms: 5 }], { rule: slow });
  const { best, known, tried } = await search(subject, 2000);
  expect(state.now).toBe(100_000);
  expect([named(best), known]).toEqual(["rule", false]);
  expect(tried.map(({ outcome }) => outcome)).toEqual([
    { status: "skipped" },
    { status: "skipped" },
  ]);
  expect(state.open).toBe(0);
});

test("a candidate that takes longer than is left is not timed, and ends the search", async () => {
  const { subject, state } = pretend([
    { name: "fast", ms: 5 },
    { name: "slow", ms: 8000, compiles: 4000 },
    { name: "fast, too", ms: 5 },
  ]);
  const { tried } = await search(subject, 1000);
  const fate = Object.fromEntries(
    tried.map(({ candidate, outcome }) => [named(candidate), outcome.status]),
  );
  expect(fate).toEqual({
    ...{ rule: "measured", fast: "measured", slow: "skipped", "fast, too": "skipped" },
  });
  expect(state.runs.get("slow")).toBe(1);
  expect(state.open).toBe(0);
});

test("without time for three rounds the rule's choice stays, and is not said to be the fastest", async () => {
  const { subject } = pretend([{ name: "fast", ms: 300 }], { rule: { name: "rule", ms: 400 } });
  const { best, known } = await search(subject, 1500);
  expect(named(best)).toBe("rule");
  expect(known).toBe(false);
});

test("without time for three rounds, single runs decide where they leave no doubt", async () => {
  const { subject } = pretend([{ name: "fast", ms: 100 }], { rule: { name: "rule", ms: 400 } });
  const { best, gain, known } = await search(subject, 1100);
  expect([named(best), gain, known]).toEqual(["fast", 4, true]);
});

test("nothing is known where nothing else ran, and the rule is where all others are slower", async () => {
  const alone = await search(pretend([{ name: "late", ms: 10, compiles: 50 }]).subject, 5);
  expect(alone.known).toBe(false);
  const slower = await search(pretend([{ name: "slow", ms: 30 }]).subject, 10_000);
  expect([named(slower.best), slower.known]).toEqual(["rule", true]);
});

test("a difference of less than three in a hundred is left to the rule", async () => {
  const { subject } = pretend([{ name: "hardly faster", ms: 9.8 }]);
  const { best, gain, tried } = await search(subject, 10_000);
  expect([named(best), gain]).toEqual(["rule", 1]);
  expect(tried[1]?.outcome).toMatchObject({ status: "measured", ms: 9.8 });
});

test("a candidate that is still being compiled at the end is left behind, and disposed when it comes", async () => {
  const { subject, state } = pretend([]);
  let finish = (_: Trial): void => {};
  const late = new Promise<Trial>((resolve) => {
    finish = resolve;
  });
  const { open } = subject;
  const slow: Pretended = { name: "slow", ms: 1 };
  const waiting: Subject<Pretended> = {
    ...subject,
    stages: [[slow]],
    open: (candidate) => (candidate === slow ? late : open(candidate)),
  };
  const { best, tried } = await search(waiting, 60);
  expect([named(best), tried.at(-1)?.outcome.status]).toEqual(["rule", "skipped"]);
  let disposed = false;
  finish({
    check: async () => null,
    time: async () => 1,
    dispose: () => {
      disposed = true;
    },
  });
  await late;
  await Promise.resolve();
  expect(disposed).toBe(true);
  expect(state.open).toBe(0);
});

test("candidates are compiled ahead where they are asked for, and those not needed are disposed", async () => {
  const shapes = Array.from({ length: 6 }, (_, i) => ({ name: `${i}`, ms: 100 }));
  const { subject, state } = pretend(shapes, { ahead: 3 });
  await search(subject, 300);
  await new Promise((resolve) => setTimeout(resolve));
  expect(state.open).toBe(0);
});

test("a rule's choice without results to compare with ends the search", async () => {
  const { subject, state } = pretend([{ name: "fast", ms: 1 }], {
    rule: { name: "rule", ms: 1, wrong: true },
  });
  await expect(search(subject, 1000)).rejects.toThrow("nothing to compare results with");
  expect(state.open).toBe(0);
});
