import { wasm } from "@heed/backend-wasm";
import { Random } from "@heed/conformance";
import { describeProblem, type HostTensor, referenceAttention, toFloat64 } from "@heed/core";
import { expect, test } from "vitest";

const best = await wasm({ threads: 1 }).load();
const baseline = await wasm({ threads: 1, simd: "baseline" }).load();

// Panels take keys and columns in groups of 6, 5, 4, 2 and 1, and keys of 64 and of 128 elements by
// kernels of their own.
test.each([
  ["the best build", best],
  ["baseline SIMD", baseline],
])("%s: every number of keys and columns", async (_, backend) => {
  for (let keys = 1; keys <= 45; keys++) {
    for (const size of [64, 128, keys]) {
      const random = new Random(`${keys} keys of ${size}`);
      const inputs = {
        query: random.tensor([1, 1, 9, size], "float32"),
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
