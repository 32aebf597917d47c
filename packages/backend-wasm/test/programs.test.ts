import { type Backend, describeProblem, referenceAttention, tensor } from "@heed/core";
import { document } from "@heed/core/masks";
import { and, less, maskMod, subtract } from "@heed/core/program";
import { afterAll, beforeAll, test } from "vitest";
import { distance, expectOutputs, RandomCalls } from "../../core/test/program/random-calls.js";
import { backendOver, loadThreads } from "./backends.js";

const backends: Record<string, Backend> = {};

beforeAll(async () => {
  const limits = { sharedWork: 0, leastSplitKeys: 16 };
  backends.baseline = await backendOver(await loadThreads({ simd: "baseline", threads: 1 }));
  backends["two threads"] = await backendOver(await loadThreads({ threads: 2 }), limits);
});
afterAll(() => {
  for (const backend of Object.values(backends)) backend.dispose();
});

test("programs and block masks give what the reference gives", async () => {
  const calls = new RandomCalls();
  for (let n = 0; n < 150; n++) {
    const call = calls.next();
    const problem = describeProblem(call);
    const expected = referenceAttention(call);
    for (const [name, backend] of Object.entries(backends)) {
      const plan = await backend.plan(problem);
      expectOutputs([name, n, problem.key], await plan.run(call), expected, 1e-4);
      plan.dispose();
    }
  }
});

test("a plan sees scalars, tables and offsets that have changed since its last call", async () => {
  const backend = backends.baseline as Backend;
  const starts = tensor(new Int32Array(200), [1, 200]);
  const near = maskMod(({ query, key }) => less(subtract(query, key), distance));
  const program = maskMod(and(near, document(starts)));
  const random = new RandomCalls();
  const call = {
    query: random.values(1, 2, 200, 8),
    key: random.values(1, 2, 200, 8),
    value: random.values(1, 2, 200, 8),
    maskMod: program,
  };
  const plan = await backend.plan(describeProblem({ ...call, queryOffset: 0 }));
  let queryOffset = 0;
  const changes: readonly (() => unknown)[] = [
    () => 0,
    () => (distance.value = 30),
    () => (distance.value = 150),
    () => starts.data.fill(1, 60),
    () => (queryOffset = 25),
    () => starts.data.fill(2, 130),
  ];
  for (const [n, change] of changes.entries()) {
    change();
    const given = await plan.run({ ...call, queryOffset });
    expectOutputs(n, given, referenceAttention({ ...call, queryOffset }), 1e-4);
  }
  plan.dispose();
});
