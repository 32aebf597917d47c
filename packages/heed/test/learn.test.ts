import { Random } from "@heed/conformance";
import { type BackendRecommendation, describeProblem, type Problem, zeros } from "@heed/core";
import type { Candidate, Strategy, StrategyControl } from "@heed/core/select";
import { recommendedStrategy } from "@heed/core/select/parts";
import { describe, expect, test } from "vitest";
import { createAttention, type LearningStore } from "../src/index.js";
import { AutoStrategy } from "../src/learn/auto.js";
import { Memory } from "../src/learn/memory.js";
import { version } from "../src/version.js";

const problemOf = (length: number): Problem => {
  const t = zeros("float32", [1, 8, length, 64]);
  return describeProblem({ query: t, key: t, value: t });
};

class Backend implements Candidate {
  readonly name: string;
  info: Candidate["info"];

  constructor(name: string, loaded = true) {
    this.name = name;
    this.info = loaded ? { runtime: name, device: "CPU", features: [], threads: 1 } : null;
  }
}

/** An attention of which only the strategy is real: time passes as the test says. */
class Simulation {
  readonly strategy: AutoStrategy;
  readonly all: readonly Backend[];
  readonly chosen: string[] = [];
  readonly loads: string[] = [];
  readonly ran: string[] = [];
  /** Milliseconds of all calls. */
  total = 0;
  #jobs: (() => Promise<void>)[] = [];

  constructor(all: readonly Backend[], memory = new Memory(null), seed: Strategy | null = null) {
    this.all = all;
    this.strategy = new AutoStrategy(memory, { seed, whenIdle: (job) => this.#jobs.push(job) });
    const control: StrategyControl = {
      candidates: all,
      load: async (candidate) => {
        this.loads.push(candidate.name);
        (candidate as Backend).info = new Backend(candidate.name).info;
      },
      plan: async () => true,
      chose: (_, { name }) => this.chosen.push(name),
    };
    this.strategy.attach(control);
  }

  /** Runs calls, with idle time after each. @param times milliseconds of a call, by backend */
  async run(problem: Problem, times: Readonly<Record<string, number>>, calls: number) {
    for (let i = 0; i < calls; i++) {
      const ready = this.strategy.rank(problem, this.all).filter(({ info }) => info !== null);
      const backend =
        ready.length > 1 ? this.strategy.choose(problem, ready, true) : (ready[0] as Backend);
      const time = times[backend.name] as number;
      this.ran.push(backend.name);
      this.total += time;
      this.strategy.saw(problem, backend, time);
      for (const job of this.#jobs.splice(0)) await job();
    }
  }
}

describe("AutoStrategy", () => {
  test("starts with the order, and goes over to what is faster", async () => {
    const simulation = new Simulation([new Backend("wasm"), new Backend("onnx")]);
    const problem = problemOf(512);
    await simulation.run(problem, { wasm: 20, onnx: 8 }, 100);
    expect(simulation.ran.slice(0, 3)).toEqual(["wasm", "wasm", "wasm"]);
    expect(simulation.ran.at(-1)).toBe("onnx");
    expect(simulation.chosen).toEqual(["wasm", "onnx"]);
    const [wasm, onnx] = simulation.all as [Backend, Backend];
    expect(simulation.strategy.why(problem, onnx)).toMatch(/^8 ms, measured \d+ times$/);
    expect(simulation.strategy.whyNot(problem, wasm, onnx)).toEqual({
      code: "slower",
      message: expect.stringMatching(/onnx is faster: 20 ms, measured/),
    });
  });

  test.each([1.1, 3, 30])(
    "trials of what is %f times as slow cost at most 5 %%",
    async (factor) => {
      const simulation = new Simulation([new Backend("wasm"), new Backend("onnx")]);
      const problem = problemOf(512);
      const calls = 400;
      await simulation.run(problem, { wasm: 20, onnx: 20 * factor }, calls);
      expect(simulation.ran.slice(-20)).toEqual(Array(20).fill("wasm"));
      expect(simulation.total).toBeLessThan(1.1 * 20 * calls);
    },
  );

  test.each([0.3, 0.5, 0.85, 1.2, 1.8])(
    "a machine that is busy at times hardly misleads it about what is %f times as slow",
    async (factor) => {
      const own = { wasm: 20, onnx: 20 * factor };
      const runs = 50;
      let [spent, wrong] = [0, 0];
      for (let run = 0; run < runs; run++) {
        const random = new Random(`${run}`);
        const simulation = new Simulation([new Backend("wasm"), new Backend("onnx")]);
        const problem = problemOf(512);
        let [busy, load] = [0, 1];
        for (let i = 0; i < 250; i++) {
          if (busy-- <= 0) {
            busy = random.uniform() < 0.03 ? 30 * random.uniform() : 0;
            load = busy > 0 ? 1 + 3 * random.uniform() : 1;
          }
          const alone = random.uniform() < 0.05 ? 1 + 3 * random.uniform() : 1;
          const slower = load * alone * (1 + 0.1 * random.uniform());
          await simulation.run(problem, { wasm: own.wasm * slower, onnx: own.onnx * slower }, 1);
        }
        const later = simulation.ran.slice(50);
        const best = Math.min(own.wasm, own.onnx);
        for (const name of later)
          spent += own[name as "wasm" | "onnx"] / best / later.length / runs;
        if (own[later.at(-1) as "wasm" | "onnx"] > best) wrong += 1;
      }
      expect(spent).toBeLessThan(1.05);
      expect(wrong).toBeLessThanOrEqual(2);
    },
  );

  test("tries what may be faster, where expectations of a backend have been far off", async () => {
    const simulation = new Simulation([new Backend("wasm"), new Backend("onnx")]);
    await simulation.run(problemOf(512), { wasm: 8, onnx: 0.6 * 8 }, 200);
    await simulation.run(problemOf(256), { wasm: 2, onnx: 1.4 * 2 }, 200);
    await simulation.run(problemOf(1024), { wasm: 32, onnx: 2 * 32 }, 200);
    // By the mean of these, 1.2 times as long as wasm.
    await simulation.run(problemOf(2048), { wasm: 128, onnx: 0.5 * 128 }, 200);
    expect(simulation.ran.at(-1)).toBe("onnx");
  });

  test("knows that wasm and onnx read the window of a step of decoding alone", async () => {
    const simulation = new Simulation([new Backend("onnx"), new Backend("wasm")]);
    const key = zeros("float32", [1, 8, 4096, 64]);
    const query = zeros("float32", [1, 64, 1, 64]);
    const window = { left: 127 };
    const problem = describeProblem({
      query,
      key,
      value: key,
      causal: true,
      queryOffset: 4095,
      window,
    });
    await simulation.run(problem, { onnx: 0.74, wasm: 0.5 }, 100);
    expect(simulation.ran.at(-1)).toBe("wasm");
  });

  test("expects of a backend what its later calls take, not its first ones", async () => {
    const simulation = new Simulation([new Backend("wasm"), new Backend("onnx")]);
    for (const [length, wasm] of [
      [512, 8],
      [256, 2],
    ] as const) {
      await simulation.run(problemOf(length), { wasm, onnx: 0.9 * wasm }, 8);
      const before = simulation.ran.length;
      // Its first two times are those of code that is not compiled, and of threads that sleep.
      for (let i = 0; i < 60; i++) {
        const tried = simulation.ran.slice(before).filter((name) => name === "onnx").length;
        await simulation.run(problemOf(length), { wasm, onnx: tried < 2 ? 3 * wasm : wasm / 2 }, 1);
      }
    }
    const [wasm, onnx] = simulation.all as [Backend, Backend];
    const { message } = simulation.strategy.whyNot(problemOf(2048), onnx, wasm);
    // Here wasm would take 128 ms.
    const expected = Number(/about ([\d.]+) ms/.exec(message)?.[1]);
    expect(expected).toBeLessThan(80);
  });

  test("does not try what cannot be faster by what is known", async () => {
    const simulation = new Simulation([new Backend("wasm"), new Backend("js")]);
    await simulation.run(problemOf(512), { wasm: 20, js: 200 }, 300);
    expect(simulation.ran).not.toContain("js");
    const js = simulation.all[1] as Backend;
    const [wasm] = simulation.all;
    expect(simulation.strategy.whyNot(problemOf(512), js, wasm).message).toMatch(
      /expected at about \d+ ms, but comes after wasm and was not tried/,
    );
  });

  test("a first trial of a short call that takes many times as long, since code is cold, rules nothing out", async () => {
    const simulation = new Simulation([new Backend("wasm"), new Backend("onnx")]);
    const problem = problemOf(64);
    // Other calls have left time for trials.
    await simulation.run(problemOf(1024), { wasm: 100, onnx: 80 }, 20);
    const cold = () => !simulation.ran.slice(20).includes("onnx");
    for (let i = 0; i < 30; i++) {
      await simulation.run(problem, { wasm: 1, onnx: cold() ? 5 : 0.5 }, 1);
    }
    expect(simulation.ran.at(-1)).toBe("onnx");
  });

  test("a backend whose threads sleep unless it has just run is compared by its second call", async () => {
    const simulation = new Simulation([new Backend("wasm"), new Backend("onnx")]);
    const problem = problemOf(128);
    // The machine has other work at first.
    await simulation.run(problem, { wasm: 1.8, onnx: 3 }, 40);
    expect(simulation.ran.at(-1)).toBe("wasm");
    for (let i = 0; i < 300; i++) {
      const awake = simulation.ran.at(-1) === "onnx";
      await simulation.run(problem, { wasm: 1.8, onnx: awake ? 1.2 : 2.4 }, 1);
    }
    expect(simulation.ran.slice(-20)).toEqual(Array(20).fill("onnx"));
  });

  test("does not try what computes all keys where a window hides most of them", async () => {
    const t = zeros("float32", [1, 8, 4096, 64]);
    const window = { left: 63, right: 0 };
    const problem = describeProblem({ query: t, key: t, value: t, window });
    const simulation = new Simulation([new Backend("wasm"), new Backend("onnx")]);
    await simulation.run(problem, { wasm: 20, onnx: 600 }, 300);
    expect(simulation.ran).not.toContain("onnx");
    await simulation.run(
      describeProblem({ query: t, key: t, value: t }),
      { wasm: 1200, onnx: 600 },
      20,
    );
    expect(simulation.ran.at(-1)).toBe("onnx");
  });

  test("loads another backend only once there were many calls, and it may be faster", async () => {
    const simulation = new Simulation([
      new Backend("webgpu"),
      new Backend("wasm", false),
      new Backend("js", false),
    ]);
    // So small that a GPU's fixed cost is all of it.
    const problem = problemOf(4);
    await simulation.run(problem, { webgpu: 1.5, wasm: 0.02, js: 0.05 }, 15);
    expect(simulation.loads).toEqual([]);
    await simulation.run(problem, { webgpu: 1.5, wasm: 0.02, js: 0.05 }, 200);
    expect(simulation.loads).toContain("wasm");
    expect(simulation.ran.at(-1)).toBe("wasm");
  });

  test("starts with what is remembered, and remembers nothing of another device or version", async () => {
    let text = "";
    const store: LearningStore = {
      read: () => text,
      write: (written) => {
        text = written;
      },
    };
    const problem = problemOf(512);
    const first = new Simulation([new Backend("wasm"), new Backend("onnx")], new Memory(store));
    await first.run(problem, { wasm: 20, onnx: 8 }, 100);
    await first.strategy.dispose();
    expect(text).toContain(version);

    const restored = async (written: string) => {
      const memory = new Memory({ read: async () => written, write: () => {} });
      await memory.restore();
      return memory;
    };
    const second = new Simulation([new Backend("wasm"), new Backend("onnx")], await restored(text));
    await second.run(problem, { wasm: 20, onnx: 8 }, 5);
    expect(second.ran).toEqual(Array(5).fill("onnx"));
    // A backend that was the fastest is loaded at once, though not before the call.
    const third = new Simulation(
      [new Backend("wasm"), new Backend("onnx", false)],
      await restored(text),
    );
    await third.run(problem, { wasm: 20, onnx: 8 }, 6);
    expect(third.ran.slice(0, 3)).toEqual(["wasm", "wasm", "wasm"]);
    expect(third.ran.at(-1)).toBe("onnx");

    const others = [
      text.replaceAll('"milliseconds":8', '"milliseconds":-8'),
      text.replaceAll('"milliseconds":8', '"milliseconds":null'),
      text.replace("heed-learned", "other"),
      text.replace('"version":1', '"version":2'),
      text.replaceAll("CPU", "another device"),
      text.replaceAll("1 threads", "4 threads"),
      text.slice(0, -10),
      "[]",
      "null",
      "",
    ];
    for (const damaged of others) {
      const fresh = new Simulation(
        [new Backend("wasm"), new Backend("onnx")],
        await restored(damaged),
      );
      await fresh.run(problem, { wasm: 20, onnx: 8 }, 2);
      expect(fresh.ran, damaged).toEqual(["wasm", "wasm"]);
    }
  });
});

describe("a recommendation", () => {
  const recommendation: BackendRecommendation = {
    format: "heed-recommendation",
    version: 1,
    measuredOn: "another machine",
    rules: [{ when: { queryLength: { from: 100 } }, prefer: [{ backend: "onnx" }] }],
  };
  const seeded = (all: readonly Backend[], memory?: Memory) =>
    new Simulation(all, memory, recommendedStrategy("seed", recommendation));

  test("decides the first calls, and own times the later ones", async () => {
    const simulation = seeded([new Backend("wasm"), new Backend("onnx")]);
    const problem = problemOf(512);
    const [wasm, onnx] = simulation.all as [Backend, Backend];
    expect(simulation.strategy.why(problem, onnx)).toBe(
      "preferred by the recommendation, measured on another machine",
    );
    expect(simulation.strategy.whyNot(problem, wasm, onnx).message).toMatch(
      /could run it, expected at about .*, but comes after onnx in the recommendation and was not tried/,
    );
    // By what is expected, wasm takes 1.7 times as long as onnx: here it is far faster.
    await simulation.run(problem, { wasm: 4, onnx: 20 }, 3);
    expect(simulation.ran).toEqual(["onnx", "onnx", "onnx"]);
    await simulation.run(problem, { wasm: 4, onnx: 80 }, 100);
    expect(simulation.ran.at(-1)).toBe("wasm");
    expect(simulation.strategy.why(problem, wasm)).toMatch(/measured \d+ times/);
    await simulation.run(problemOf(64), { wasm: 1, onnx: 1 }, 1);
    expect(simulation.ran.at(-1)).toBe("wasm");
  });

  test("loads what it prefers, and tries it although no gain is expected", async () => {
    // By what is expected, js takes many times as long as wasm.
    const js: BackendRecommendation = {
      ...recommendation,
      rules: [{ prefer: [{ backend: "js" }] }],
    };
    const simulation = new Simulation(
      [new Backend("wasm"), new Backend("js", false)],
      undefined,
      recommendedStrategy("seed", js),
    );
    await simulation.run(problemOf(512), { wasm: 20, js: 5 }, 200);
    expect(simulation.loads).toEqual(["js"]);
    expect(simulation.ran.slice(0, 3)).toEqual(["wasm", "wasm", "wasm"]);
    expect(simulation.ran.at(-1)).toBe("js");
    const wrong = new Simulation(
      [new Backend("wasm"), new Backend("js", false)],
      undefined,
      recommendedStrategy("seed", js),
    );
    await wrong.run(problemOf(512), { wasm: 20, js: 200 }, 400);
    expect(wrong.ran).toContain("js");
    expect(wrong.ran.at(-1)).toBe("wasm");
    expect(wrong.total).toBeLessThan(1.1 * 20 * 400);
  });

  test("counts for less than what is remembered", async () => {
    const memory = new Memory(null);
    const first = new Simulation([new Backend("wasm"), new Backend("onnx")], memory);
    await first.run(problemOf(512), { wasm: 10, onnx: 14 }, 100);
    const second = seeded([new Backend("wasm"), new Backend("onnx")], memory);
    await second.run(problemOf(512), { wasm: 10, onnx: 14 }, 5);
    expect(second.ran).toEqual(Array(5).fill("wasm"));
  });

  test("is an option of createAttention, and is checked", async () => {
    const auto = {
      recommendation: { ...recommendation, rules: [{ prefer: [{ backend: "js" }] }] },
    };
    const backends = ["wasm", "js"] as const;
    const attention = await createAttention({
      backends,
      select: { auto },
      load: "all",
      store: null,
    });
    const t = zeros("float32", [1, 1, 2, 4]);
    const call = { query: t, key: t, value: t };
    expect((await attention.run(call)).backend).toBe("js");
    expect(attention.explain(call).text).toMatch(/js.*preferred by the recommendation/);
    await attention.dispose();
    for (const [select, argument] of [
      [{ auto: 5 }, "select.auto"],
      [{ auto: { recomendation: {} } }, "select.auto.recomendation"],
      [{ auto: {}, more: 1 }, "select.more"],
      [{ auto: { recommendation: {} } }, "select.auto.recommendation.format"],
      [{ auto: { recommendation: null } }, "select.auto.recommendation"],
    ] as const) {
      const made = createAttention({ backends, select: select as never, store: null });
      await expect(made).rejects.toMatchObject({ name: "InvalidInputError", argument });
    }
  });
});
