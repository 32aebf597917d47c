/** Projections, by the cases of the suite. */

import { wasm } from "@heed/backend-wasm";
import { checkBackend } from "@heed/conformance";
import {
  createAttention,
  type HostTensor,
  isDeviceTensor,
  projection,
  slice,
  tensor,
  toFloat64,
  zeros,
} from "@heed/core";
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

test("rows have the same bits in calls of any number of rows, if the option says so", async () => {
  const attention = await createAttention({
    backends: [wasm({ threads: 1, batchInvariant: true })],
    selfTest: false,
  });
  const wave = (n: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(7.3 * i));
  const [rows, size, out] = [23, 37, 11];
  const weight = tensor(wave(out * size), [out, size]);
  const input = tensor(wave(rows * size), [1, rows, size]);
  const all = toFloat64(
    (await attention.apply(projection, { input, weight })).output as HostTensor,
  );
  for (const count of [1, 3, 4, 18]) {
    const few = slice(input, 1, 0, count) as HostTensor;
    const { output } = await attention.apply(projection, { input: few, weight });
    expect(toFloat64(output as HostTensor)).toEqual(all.slice(0, count * out));
  }
  await attention.dispose();
});

test("threads share outputs, and give the bits that one thread gives", async () => {
  const wave = (n: number) => Float32Array.from({ length: n }, (_, i) => ((7 * i) % 101) - 50.3);
  const results: Float64Array[] = [];
  for (const threads of [1, 2]) {
    const attention = await createAttention({ backends: [wasm({ threads })], selfTest: false });
    for (const rows of [4, 9, 18]) {
      const input = tensor(wave(rows * 515), [1, rows, 515]);
      const weight = tensor(wave(1025 * 515), [1025, 515]);
      const { output } = await attention.apply(projection, { input, weight });
      results.push(toFloat64(output as HostTensor));
    }
    await attention.dispose();
  }
  for (let i = 0; i < 3; i++) expect(results[i + 3]).toEqual(results[i]);
});
