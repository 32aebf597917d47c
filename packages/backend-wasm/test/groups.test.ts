import { wasm } from "@heed/backend-wasm";
import { Random } from "@heed/conformance";
import {
  describeProblem,
  type HostTensor,
  referenceAttention,
  tensor,
  toFloat64,
} from "@heed/core";
import { describe, expect, test } from "vitest";

const best = await wasm({ threads: 1 }).load();
const baseline = await wasm({ threads: 1, simd: "baseline" }).load();
const spread = await wasm({ threads: 1, variant: "spread" }).load();
const byTwo = await wasm({ threads: 1, variant: "spread-by-two" }).load();

const zeros = (shape: readonly number[]) =>
  tensor(new Float32Array(shape.reduce((a, b) => a * b)), shape);

// Panels take keys and columns in groups of 6, 5, 4, 2 and 1, and keys of 64 and of 128 elements by
// kernels of their own.
describe.each([
  ["the best build", best],
  ["baseline SIMD", baseline],
])("%s", (_, backend) => {
  // One panel and a row of the next, and two whole ones. That spread tiles give the same is tested with the variants.
  test.each([9, 16])("every number of keys and columns, %i rows", async (rows) => {
    for (let keys = 1; keys <= 45; keys++) {
      for (const size of rows === 9 ? [64, 128, keys] : [keys]) {
        const random = new Random(`${keys} keys of ${size}`);
        const inputs = {
          query: random.tensor([1, 1, rows, size], "float32"),
          key: random.tensor([1, 1, keys, size], "float32"),
          value: random.tensor([1, 1, keys, 46 - keys], "float32"),
        };
        const plan = await backend.plan(describeProblem(inputs));
        const { output } = await plan.run(inputs);
        const expected = toFloat64(referenceAttention(inputs).output);
        const got = toFloat64(output as HostTensor);
        const worst = Math.max(...got.map((x, i) => Math.abs(x - (expected[i] as number))));
        expect(worst, `${keys} keys of ${size}`).toBeLessThan(3e-6);
      }
    }
  });
});

describe.each([
  ["the best build", best],
  ["baseline SIMD", baseline],
  ["spread tiles", spread],
  ["spread tiles, by two", byTwo],
])("%s", (_, backend) => {
  // Not nearly: sums start at 0.
  test.each([4, 9, 16, 28])("zeros give zeros, %i rows", async (rows) => {
    for (let keys = 1; keys <= 14; keys++) {
      for (const size of [64, 128, keys]) {
        const random = new Random(`${keys} keys of ${size}`);
        const columns = 15 - keys;
        // One key of each row has nearly all the weight, so that nothing small is divided away.
        const inputs = {
          query: random.tensor([1, 1, rows, size], "float32"),
          key: random.tensor([1, 1, keys, size], "float32"),
          value: zeros([1, 1, keys, columns]),
          scale: 1e4,
        };
        const { output } = await (await backend.plan(describeProblem(inputs))).run(inputs);
        const name = `${keys} keys of ${size}`;
        expect(new Set(toFloat64(output as HostTensor)), name).toEqual(new Set([0]));
        const asking = {
          ...inputs,
          query: zeros([1, 1, rows, size]),
          scale: 1,
          returns: { scores: "raw" as const },
        };
        const { scores } = await (await backend.plan(describeProblem(asking))).run(asking);
        expect(new Set(toFloat64(scores as HostTensor)), name).toEqual(new Set([0]));
      }
    }
  });
});
