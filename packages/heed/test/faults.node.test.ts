/** A thousand rounds of an attention whose backends and store fail in every way: no hang, no wrong result, nothing held. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Random } from "@heed/conformance";
import {
  type AttentionInputs,
  type Backend,
  DeviceLostError,
  type HostTensor,
  isHeedError,
  OutOfMemoryError,
  type Plan,
  type Provider,
  reference,
  tensor,
} from "@heed/core";
import { expect, test } from "vitest";
import { createAttention, type LearningStore } from "../src/index.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const rounds = 1000;

/** Ways of a step to go wrong. */
const faults = ["none", "throws", "never", "lost", "memory", "nonsense"] as const;
type Fault = (typeof faults)[number];

/** Everything that backends made and nobody released. */
class Held {
  backends = 0;
  plans = 0;
}

/** A step that fails in one of these ways, or goes on. */
async function fail(fault: Fault, name: string): Promise<void> {
  if (fault === "throws") throw new Error("broken");
  if (fault === "never") await new Promise<never>(() => {});
  if (fault === "lost") throw new DeviceLostError(name, "unplugged");
  if (fault === "memory") throw new OutOfMemoryError(name, "full");
}

/** The reference behind steps that fail as `draw` says. */
function faulty(name: string, held: Held, draw: () => Fault): Provider {
  const load = async (): Promise<Backend> => {
    const loading = draw();
    await fail(loading, name);
    if (loading === "nonsense") return null as never;
    const inner = await reference().load();
    let disposed = false;
    held.backends += 1;
    return {
      name,
      info: inner.info,
      supports: (problem) => inner.supports(problem),
      plan: async (problem) => {
        const planning = draw();
        await fail(planning, name);
        if (planning === "nonsense") return undefined as never;
        const plan = await inner.plan(problem);
        held.plans += 1;
        let gone = false;
        return {
          description: plan.description,
          run: async (inputs: never) => {
            const running = draw();
            await fail(running, name);
            if (running === "nonsense") return {} as never;
            return plan.run(inputs);
          },
          dispose: () => {
            if (!gone) held.plans -= 1;
            gone = true;
          },
        } as Plan<never, never>;
      },
      dispose: () => {
        if (!disposed) held.backends -= 1;
        disposed = true;
      },
    };
  };
  return { name, load };
}

/** A store that is missing, damaged, full, or never answers. */
function store(random: Random): LearningStore | null {
  const kind = Math.floor(5 * random.uniform());
  const full = (): never => {
    throw new Error("quota");
  };
  if (kind === 0) return null;
  if (kind === 1) return { read: () => '{"format":"heed-learned","version":1,"cla', write: full };
  if (kind === 2) return { read: () => Promise.reject(new Error("gone")), write: full };
  if (kind === 3) return { read: () => "null", write: () => Promise.reject(new Error("full")) };
  return { read: () => null, write: () => {} };
}

function call(seed: number, length = 2): AttentionInputs<HostTensor> {
  const fill = (by: number) =>
    tensor(
      Float32Array.from({ length: length * 4 }, (_, i) => Math.sin(seed + by + i)),
      [1, 1, length, 4],
    );
  return { query: fill(1), key: fill(2), value: fill(3), causal: seed % 2 === 0 };
}

test("a thousand rounds of faults: every call ends in time, with the right result or a typed error, and nothing is held", {
  timeout: 300_000,
}, async () => {
  const random = new Random("faults");
  const held = new Held();
  const oracle = await createAttention({ backends: [reference()], store: null });
  const outcomes = new Map<string, number>();
  const heard = new Set<string>();
  const inputs: WeakRef<object>[] = [];
  const settled = async (outcome: Promise<unknown>): Promise<unknown> => {
    const ended = await Promise.allSettled([outcome]);
    return ended[0].status === "fulfilled" ? ended[0].value : ended[0].reason;
  };
  for (let round = 0; round < rounds; round++) {
    // Each round has a fault that it draws often, so that some rounds are hopeless and others are not.
    const usual = faults[round % faults.length] as Fault;
    const often = [0.1, 0.3, 1][Math.floor(round / faults.length) % 3] as number;
    const draw = (): Fault => (random.uniform() < often ? usual : "none");
    const opened = (await settled(
      createAttention({
        backends: [faulty("a", held, draw), faulty("b", held, draw), reference()],
        fallback: "silent",
        selfTest: false,
        store: store(random),
        timeout: 20,
      }),
    )) as Awaited<ReturnType<typeof createAttention>> | Error;
    if (opened instanceof Error) {
      expect(opened.name).toBe("TimeoutError");
      outcomes.set("not opened", (outcomes.get("not opened") ?? 0) + 1);
      continue;
    }
    opened.on("lost", () => heard.add("lost"));
    opened.on("fallback", () => heard.add("fallback"));
    const running = [0, 1, 2].map((i) => {
      const given = call(round + i, 2 + (i % 2));
      inputs.push(new WeakRef(given.query));
      return [given, settled(opened.run(given, { timeout: 10 }))] as const;
    });
    for (const [given, ended] of running) {
      const outcome = (await ended) as Error | { output: HostTensor; backend: string };
      const name = outcome instanceof Error ? outcome.name : outcome.backend;
      outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
      if (outcome instanceof Error) {
        expect(outcome.name === "TimeoutError" || isHeedError(outcome), String(outcome)).toBe(true);
        continue;
      }
      const expected = (await oracle.run(given)).output.data as Float32Array;
      expect(outcome.output.data).toEqual(expected);
    }
    await opened.dispose();
  }
  await oracle.dispose();
  // All that may happen did.
  expect([...outcomes.keys()]).toEqual(
    expect.arrayContaining(["a", "b", "reference", "TimeoutError", "not opened"]),
  );
  expect(heard).toEqual(new Set(["lost", "fallback"]));
  expect(held).toEqual({ backends: 0, plans: 0 });
  await new Promise((resolve) => setTimeout(resolve, 20));
  collect();
  const alive = inputs.filter((input) => input.deref() !== undefined);
  expect(alive.length).toBeLessThanOrEqual(6);
});

/** Steps that never end, of a backend that an application keeps. */
test.each(["load", "plan", "run"])(
  "a thousand calls that are given up, since %s never ends, are not held",
  async (step) => {
    const held = new Held();
    let steps = 0;
    const at = { load: 0, plan: 1, run: 2 }[step] as number;
    const provider = faulty("a", held, () => {
      const fault = steps >= at ? "never" : "none";
      steps += 1;
      return fault;
    });
    // One that refuses everything comes first, so that the attention opens.
    const none: Provider = {
      name: "none",
      load: async () => ({
        ...(await faulty("none", held, () => "none").load()),
        supports: () => ({ ok: false, reasons: [{ code: "dtype", message: "no" }] }),
      }),
    };
    const attention = await createAttention({
      backends: [none, provider],
      fallback: "silent",
      selfTest: false,
      store: null,
    });
    const inputs: WeakRef<object>[] = [];
    for (let round = 0; round < rounds / 50; round++) {
      const calls = Array.from({ length: 50 }, (_, i) => {
        const given = call(i);
        inputs.push(new WeakRef(given.query));
        return attention.run(given, { timeout: 1 });
      });
      for (const { status } of await Promise.allSettled(calls)) expect(status).toBe("rejected");
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
    collect();
    const alive = inputs.filter((input) => input.deref() !== undefined);
    // The last fifty may still be in reach of this function.
    expect(alive.length).toBeLessThanOrEqual(60);
    await attention.dispose();
  },
);

test("a plan that is made between calls, and never ends, does not hold up dispose", async () => {
  const held = new Held();
  let steps = 0;
  const attention = await createAttention({
    backends: [
      faulty("js", held, () => "none"),
      // Expected to be much faster; loads, and then never has its plan.
      faulty("wasm", held, () => (steps++ === 0 ? "none" : "never")),
    ],
    fallback: "silent",
    selfTest: false,
    store: null,
  });
  const given = call(1, 256);
  for (let i = 0; i < 400 && steps < 2; i++) {
    expect((await attention.run(given)).backend).toBe("js");
    // Loading and planning are done while no call waits.
    await new Promise((resolve) => setTimeout(resolve, 6));
  }
  expect(steps).toBe(2);
  await attention.dispose();
  expect(held.backends).toBe(0);
});
