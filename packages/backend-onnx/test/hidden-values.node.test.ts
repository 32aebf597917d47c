import { onnx } from "@heed/backend-onnx";
import {
  type Attention,
  type AttentionInputs,
  createAttention,
  describeProblem,
  type HostTensor,
  referenceAttention,
  slice,
  tensor,
  toFloat64,
} from "@heed/core";
import { afterAll, beforeAll, expect, test } from "vitest";

let attention: Attention;
beforeAll(async () => {
  attention = await createAttention({ backends: [onnx({ provider: "wasm", threads: 1 })] });
});
afterAll(() => attention.dispose());

/** One batch, two query heads on one key head, 6 queries and keys of size 4, causal. */
function call(spoil: (values: Float32Array) => void): AttentionInputs<HostTensor> {
  const fill = (count: number, seed: number): Float32Array =>
    Float32Array.from({ length: count }, (_, i) => Math.sin(seed + 7 * i));
  const values = fill(24, 3);
  spoil(values);
  return {
    query: tensor(fill(48, 1), [1, 2, 6, 4]),
    key: tensor(fill(24, 2), [1, 1, 6, 4]),
    value: tensor(values, [1, 1, 6, 4]),
    causal: true,
  };
}

/** Rows before key 3 do not see it; rows from it on do. */
test.each([
  ["NaN", Number.NaN],
  ["∞", Number.POSITIVE_INFINITY],
  ["−∞", Number.NEGATIVE_INFINITY],
])("a value of %s reaches the rows that see it, and no other", async (_, poison) => {
  const inputs = call((values) => {
    values[3 * 4 + 1] = poison;
  });
  const { output } = await attention.run(inputs);
  const expected = Array.from(toFloat64(referenceAttention(inputs).output));
  for (const [at, want] of expected.entries()) {
    if (Number.isFinite(want)) expect(output.data[at]).toBeCloseTo(want, 5);
    else expect(output.data[at]).toBe(want);
  }
  expect(expected.filter((x) => !Number.isFinite(x))).toHaveLength(6);
});

test("values of ∞ and −∞ that a row sees both are NaN in it", async () => {
  const inputs = call((values) => {
    values[2 * 4] = Number.POSITIVE_INFINITY;
    values[4 * 4] = Number.NEGATIVE_INFINITY;
  });
  const { output } = await attention.run(inputs);
  const column = Array.from({ length: 6 }, (_, i) => output.data[i * 4]);
  expect(column.slice(2)).toEqual([Infinity, Infinity, Number.NaN, Number.NaN]);
  expect(column.slice(0, 2).every(Number.isFinite)).toBe(true);
});

test.each([
  ["its log-sum-exp", { returns: { logSumExp: true } }],
  ["a sink", { sinks: [0.5] }],
])("a row that sees no key is 0, not −0, also with %s", async (_, more) => {
  const all = call((values) => values.fill(-1));
  // The products of several keys are summed from 0 on, which gives 0.
  const query = slice(slice(all.query, 1, 0, 1), 2, 0, 1);
  const [key, value] = [slice(all.key, 2, 0, 1), slice(all.value, 2, 0, 1)];
  const one = { ...more, query, key, value, causal: true };
  const { output } = await attention.run({ ...one, queryOffset: -1 });
  expect(Array.from(output.data, (x) => Object.is(x, 0))).toEqual([true, true, true, true]);
  const seen = await attention.run({ ...one, queryOffset: 0 });
  expect(seen.output.data[0]).toBeLessThan(0);
});

test("a value that no row at the window's ends sees does not leak into rows near it", async () => {
  const [length, size, at] = [1200, 64, 600];
  const fill = (seed: number): Float32Array =>
    Float32Array.from({ length: length * size }, (_, i) => Math.sin(seed + 7 * i));
  const values = fill(3);
  values[at * size] = Number.NaN;
  const backend = await onnx({ provider: "cpu", threads: 1 }).load();
  const shape = [1, 1, length, size];
  const inputs = {
    query: tensor(fill(1), shape),
    key: tensor(fill(2), shape),
    value: tensor(values, shape),
    causal: true,
    window: { left: 9 },
  };
  const plan = await backend.plan(describeProblem(inputs));
  expect(plan.description.kernel).toBe("attention-group-query-cpu");
  const output = (await plan.run(inputs)).output as HostTensor;
  const wrong = Array.from({ length }, (_, row) => row).filter((row) =>
    Number.isNaN(output.data[row * size]),
  );
  expect(wrong).toEqual(Array.from({ length: 10 }, (_, i) => at + i));
  backend.dispose();
});
