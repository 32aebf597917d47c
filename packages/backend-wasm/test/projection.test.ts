/** Projections by the kernels of attention, by the cases of the suite. */

import { wasm } from "@heed/backend-wasm";
import { checkBackend } from "@heed/conformance";
import { createAttention, isDeviceTensor, projection, toFloat64, zeros } from "@heed/core";
import { expect, test } from "vitest";

test.each([
  ["one thread", { threads: 1 }],
  ["two threads", { threads: 2 }],
] as const)("every case of projection, %s", async (_, options) => {
  const provider = wasm(options) as never;
  for (const filter of ["projection/", "vectors/mha"]) {
    const { results, counts } = await checkBackend(provider, { filter });
    const failing = results.filter(({ outcome }) => outcome === "fail");
    expect(failing.map(({ id, failures, worst }) => [id, failures, worst])).toEqual([]);
    expect(counts.pass).toBeGreaterThan(4);
  }
});

test("runs on resident tensors stay there, and repeat", async () => {
  const attention = await createAttention({ backends: [wasm({ threads: 1 })], selfTest: false });
  const input = await attention.upload(zeros("float32", [2, 3, 8]));
  const weight = await attention.upload(zeros("float32", [5, 8]));
  for (let i = 0; i < 50; i++) {
    const { output } = await attention.apply(projection, { input, weight });
    expect(isDeviceTensor(output)).toBe(true);
    if (!isDeviceTensor(output)) continue;
    expect(output.shape).toEqual([2, 3, 5]);
    if (i === 49) expect([...toFloat64(await output.read())]).toEqual(new Array(30).fill(0));
    output.dispose();
  }
  input.dispose();
  weight.dispose();
  await attention.dispose();
});
