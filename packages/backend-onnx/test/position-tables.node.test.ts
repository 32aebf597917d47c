import { onnx } from "@heed/backend-onnx";
import {
  type AttentionInputs,
  type Backend,
  describeProblem,
  type HostTensor,
  tensor,
} from "@heed/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectAsReference, Numbers } from "./call-of.js";

type Call = AttentionInputs<HostTensor>;

const int32 = (values: ArrayLike<number>, ...shape: number[]) =>
  tensor(Int32Array.from(values), shape);

describe.each(["cpu", "wasm"] as const)("positions as data, %s", (provider) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await onnx({ provider, threads: 1 }).load();
  });
  afterAll(() => backend.dispose());

  const check = async (call: Call): Promise<void> => {
    const plan = await backend.plan(describeProblem(call));
    const inputs = { ...call, returns: { logSumExp: true, ...call.returns } };
    const whole = await backend.plan(describeProblem(inputs));
    expectAsReference(await plan.run(call), call);
    expectAsReference(await whole.run(inputs), inputs);
    whole.dispose();
    plan.dispose();
  };

  const numbers = new Numbers(5);
  const of = (batch: number, queries: number, keys: number) => ({
    query: numbers.tensor(batch, 4, queries, 8),
    key: numbers.tensor(batch, 2, keys, 8),
    value: numbers.tensor(batch, 2, keys, 6),
  });
  const table = (rows: number, columns: number, spread = 12) =>
    int32(
      Array.from({ length: rows * columns }, () => numbers.below(spread) - 2),
      rows,
      columns,
    );

  const tables: readonly [string, (b: number, q: number, k: number) => Partial<Call>][] = [
    ["queries", (b, q) => ({ queryPositions: table(b, q) })],
    ["keys", (b, _, k) => ({ keyPositions: table(b, k) })],
    ["both", (b, q, k) => ({ queryPositions: table(b, q), keyPositions: table(1, k) })],
    ["one row of both", (_, q, k) => ({ queryPositions: table(1, q), keyPositions: table(1, k) })],
  ];
  const rules: readonly [string, Partial<Call>][] = [
    ["causal", { causal: true }],
    ["window", { window: { left: 2, right: 3 } }],
    ["window to the left, ALiBi", { window: { left: 3 }, alibiSlopes: [0.5, 0.25, 0, -1] }],
    ["ALiBi alone", { alibiSlopes: [0.5, 0.25, 0, -1] }],
    ["causal and lengths", { causal: true, kvLengths: [7, 3] }],
    ["causal and scores", { causal: true, returns: { scores: "biased", weights: true } }],
    ["causal, lengths, scores", { causal: true, kvLengths: [7, 3], returns: { scores: "raw" } }],
  ];
  // Both providers run the same graphs.
  const tried = provider === "cpu" ? rules : rules.slice(0, 3);
  test.each(
    tables.flatMap(([of, make]) => tried.map(([name, rule]) => [of, name, make, rule] as const)),
  )("of %s: %s", async (_, __, make, rule) => {
    for (const queries of provider === "cpu" ? [1, 5] : [5]) {
      await check({ ...of(2, queries, 9), ...make(2, queries, 9), ...rule });
    }
  });

  test("a hidden NaN between keys that are seen has no influence", async () => {
    const call = of(1, 3, 6);
    for (const c of [0, 1, 2, 3]) {
      (call.key.data as Float32Array)[2 * 8 + c] = Number.NaN;
      (call.value.data as Float32Array)[2 * 6 + c] = Number.NaN;
    }
    const positions = {
      queryPositions: int32([4, 9, 2], 1, 3),
      keyPositions: int32([3, 0, 99, 4, 1, 2], 1, 6),
    };
    await check({ ...call, ...positions, causal: true });
    await check({ ...call, ...positions, window: { left: 3, right: 80 } });
  });

  test("ALiBi between positions that float32 does not hold", async () => {
    const call = of(1, 2, 3);
    await check({
      ...call,
      queryPositions: int32([2_000_000_003, 4], 1, 2),
      keyPositions: int32([2_000_000_001, 3, 2_000_000_006], 1, 3),
      alibiSlopes: [0.5, 0.25, 2, -1],
      window: { left: 100, right: 100 },
    });
  });

  test("positions that change are not taken for those of before", async () => {
    const call = { ...of(1, 3, 6), causal: true };
    const plan = await backend.plan(describeProblem({ ...call, keyPositions: table(1, 6) }));
    for (let step = 0; step < 4; step++) {
      const inputs = { ...call, keyPositions: table(1, 6) };
      expectAsReference(await plan.run(inputs), inputs);
    }
    expect(plan.description.kernel).toContain(provider);
    plan.dispose();
  });
});
