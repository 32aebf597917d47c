/** Attentions and plans that are disposed take no more calls, and work that nobody waits for goes no further. */
import {
  type Attention,
  attention as attentionOperation,
  type Backend,
  createAttention,
  type DeviceTensor,
  defineBackend,
  describeProblem,
  deviceTensor,
  type HostTensor,
  reference,
  referenceKernels,
  rotary,
  zeros,
} from "@heed/core";
import { describe, expect, test } from "vitest";
import { FastestStrategy } from "../src/select/fastest.js";
import { loadBackend } from "../src/select/load.js";

const t = zeros("float32", [1, 1, 2, 4]);
const call = { query: t, key: t, value: t };
const disposed = { code: "disposed" };

describe("an attention that is disposed", () => {
  test.each<[string, (attention: Attention) => unknown]>([
    ["run", (attention) => attention.run(call)],
    ["apply", (attention) => attention.apply(rotary, { input: t, theta: 10 })],
    ["prepare", (attention) => attention.prepare(call)],
    ["warmUp", (attention) => attention.warmUp([call])],
    ["explain", (attention) => attention.explain(call)],
    ["upload", (attention) => attention.upload(t)],
    ["allocate", (attention) => attention.allocate("float32", [1])],
  ])("refuses %s", async (_, use) => {
    const attention = await createAttention({ backends: [reference()], selfTest: false });
    await attention.dispose();
    await expect((async () => use(attention))()).rejects.toMatchObject(disposed);
    await attention.dispose();
  });
});

/** A backend with memory, whose loading waits. */
function held(wait: Promise<unknown> = Promise.resolve()) {
  const log: string[] = [];
  const store = ({ dtype, shape }: Pick<HostTensor, "dtype" | "shape">): DeviceTensor => {
    log.push("store");
    return deviceTensor(
      {
        backend: "held",
        read: async () => zeros(dtype, shape),
        release: () => log.push("release"),
      },
      { dtype, shape },
    );
  };
  const provider = defineBackend({
    name: "held",
    load: () => wait,
    info: () => ({ runtime: "JavaScript", device: "CPU", features: [], threads: 1 }),
    operations: { attention: referenceKernels(attentionOperation) as never },
    memory: () => ({
      upload: async (given: HostTensor) => store(given),
      allocate: (dtype: HostTensor["dtype"], shape: readonly number[]) => store({ dtype, shape }),
    }),
    dispose: () => log.push("dispose"),
  } as never);
  return { provider, log };
}

test("what is uploaded while the attention is disposed is not stored", async () => {
  let go = (): void => {};
  const { provider, log } = held(
    new Promise<void>((resolve) => {
      go = resolve;
    }),
  );
  const attention = await createAttention({
    ...{ backends: [reference(), provider], selfTest: false, load: "on-demand" },
    fallback: "silent",
  });
  const uploading = attention.upload(t, { backend: "held" }).catch((error) => error);
  const closing = attention.dispose();
  go();
  await closing;
  expect(await uploading).toMatchObject(disposed);
  expect(log).not.toContain("store");
});

test("a backend that is disposed makes no plans, runs none, and stores nothing", async () => {
  const { provider, log } = held();
  const backend = (await provider.load()) as Required<Backend>;
  const problem = describeProblem(call);
  const plan = await backend.plan(problem);
  const memory = backend.memory as NonNullable<typeof backend.memory>;
  expect(await plan.run(call)).toBeTruthy();
  backend.dispose();
  backend.dispose();
  const uses: readonly (() => unknown)[] = [
    () => backend.plan(problem),
    () => plan.run(call),
    () => memory.upload(t),
    () => memory.allocate("float32", [1]),
  ];
  for (const use of uses) await expect((async () => use())()).rejects.toMatchObject(disposed);
  expect(log).toEqual(["dispose"]);
  const other = (await held().provider.load()) as Required<Backend>;
  const own = await other.plan(problem);
  own.dispose();
  await expect(own.run(call)).rejects.toMatchObject(disposed);
});

test("warming up stops after the call during which its time was over", async () => {
  const planned: number[] = [];
  const inner = await reference().load();
  const provider = {
    name: "slow",
    load: async () => ({
      ...{ name: "slow", info: inner.info },
      supports: () => ({ ok: true }),
      plan: async (problem: ReturnType<typeof describeProblem>) => {
        planned.push(problem.queryLength);
        const plan = await inner.plan(problem);
        return {
          description: plan.description,
          run: async (inputs: never) => {
            await new Promise((resolve) => setTimeout(resolve, 30));
            return plan.run(inputs);
          },
          dispose: () => plan.dispose(),
        };
      },
      dispose: () => {},
    }),
  };
  const attention = await createAttention({ backends: [provider as never], selfTest: false });
  const seen: number[] = [];
  const calls = [1, 2, 3].map((length) => {
    const of = zeros("float32", [1, 1, length, 4]);
    return { query: of, key: of, value: of };
  });
  const onProgress = (done: number, all: number) => seen.push(done, all);
  const warming = attention.warmUp(calls, { timeout: 5, onProgress });
  await expect(warming).rejects.toMatchObject({ name: "TimeoutError" });
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(planned).toEqual([1]);
  await attention.warmUp(calls.slice(0, 2), { onProgress });
  expect(seen.slice(-4)).toEqual([1, 2, 2, 2]);
  await attention.dispose();
});

test("the oldest of 1,024 measurements goes first", async () => {
  const strategy = new FastestStrategy(0, () => 0);
  const candidates = ["a", "b"].map((name) => ({ name, info: null }));
  const problem = (n: number) => ({ operation: "other", key: `${n}` }) as never;
  for (let n = 0; n <= 1024; n++) await strategy.measure(problem(n), candidates, async () => ({}));
  expect(strategy.choose(problem(0), candidates)).toBeUndefined();
  expect(strategy.choose(problem(1), candidates)?.name).toBe("a");
  expect(strategy.choose(problem(1024), candidates)?.name).toBe("a");
});

test.each([
  [{}, "an object with no members"],
  [null, "null"],
  [
    { info: null, supports() {}, plan() {}, dispose() {} },
    "an object with info, supports, plan, dispose",
  ],
  [{ info: {}, supports() {}, plan() {} }, "an object with info, supports, plan"],
  [{ info: {}, plan() {}, dispose() {} }, "an object with info, plan, dispose"],
  [{ info: {}, supports() {}, dispose() {} }, "an object with info, supports, dispose"],
  [
    { info: "?", supports() {}, plan() {}, dispose() {} },
    "an object with info, supports, plan, dispose",
  ],
])("what a provider loads may be no backend: %j", async (loaded, actual) => {
  const provider = { name: "odd", load: async () => loaded as never };
  expect(await loadBackend(provider, null)).toEqual({
    backend: null,
    reasons: [
      { code: "unavailable", message: `load() gave something that is no backend: ${actual}` },
    ],
    test: null,
  });
});
