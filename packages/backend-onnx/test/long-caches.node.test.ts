/** Sums over many keys, and many heads: where onnxruntime's kernels drift or overflow. */
import { onnx } from "@heed/backend-onnx";
import { judge, passes } from "@heed/conformance";
import {
  type AttentionBackend,
  type AttentionInputs,
  type AttentionOutputs,
  describeProblem,
  type HostTensor,
  tensor,
} from "@heed/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chunkSpec, keyChunks } from "../src/attention/graph/chunks.js";

type Call = AttentionInputs<HostTensor>;

/** One key scores 1, the others 0; all values are 1. */
function nearlyEqual(keys: number, rows: number, size: number, more: Partial<Call>): Call {
  const key = new Float32Array(keys * size);
  key[5 * size] = 1;
  const query = new Float32Array(rows * size);
  for (let row = 0; row < rows; row++) query[row * size] = 1;
  return {
    query: tensor(query, [1, 1, rows, size]),
    key: tensor(key, [1, 1, keys, size]),
    value: tensor(new Float32Array(keys * size).fill(1), [1, 1, keys, size]),
    scale: 1,
    ...more,
  };
}

describe.each(["cpu", "wasm"] as const)("%s", (provider) => {
  let backend: AttentionBackend;
  beforeAll(async () => {
    backend = await onnx({ provider, threads: 1 }).load();
  });
  afterAll(() => backend.dispose());

  async function run(inputs: Call): Promise<AttentionOutputs<HostTensor>> {
    const plan = await backend.plan(describeProblem(inputs));
    const outputs = (await plan.run(inputs)) as AttentionOutputs<HostTensor>;
    plan.dispose();
    return outputs;
  }

  test.each([
    // 2053, 8191 and 32,771 are primes: no chunks of one length make them up.
    [2053, 1, 64],
    [4096, 1, 1],
    [8191, 3, 64],
    [16384, 20, 16],
    [32768, 1, 1],
    [32771, 1, 8],
    [131072, 1, 1],
    // Values too narrow for panels of a product; the widest panels, and the narrowest.
    [131072, 3, 4],
    [131072, 3, 32],
    [8191, 1, 128],
    [2 ** 20, 1, 1],
  ])("%i nearly equal keys, %i rows, size %i", async (keys, rows, size) => {
    for (const more of [{}, { returns: { logSumExp: true } }, { sinks: [1] }]) {
      const outputs = await run(nearlyEqual(keys, rows, size, more));
      const sum = keys - 1 + Math.E;
      const expected = more.sinks ? sum / (sum + Math.E) : 1;
      for (const x of Array.from(outputs.output.data))
        expect(Math.abs(x - expected)).toBeLessThan(8e-6);
      for (const x of Array.from(outputs.logSumExp?.data ?? [])) {
        expect(Math.abs(x - Math.log(sum))).toBeLessThan(8e-6);
      }
    }
  });

  test("grouped heads, masks and lengths beside chunks of keys", async () => {
    const fill = (seed: number, ...shape: number[]): HostTensor => {
      const count = shape.reduce((a, b) => a * b);
      const data = Float32Array.from({ length: count }, (_, i) => Math.sin(seed + 7.3 * i));
      return tensor(data, shape);
    };
    for (const keys of [2052, 2053]) {
      const inputs = {
        query: fill(1, 2, 4, 2, 8),
        key: fill(2, 2, 2, keys, 8),
        value: fill(3, 2, 2, keys, 4),
      };
      const mask = tensor(
        Array.from({ length: keys }, (_, j) => j % 3 !== 1),
        [keys],
      );
      const returns = { weights: true, logSumExp: true };
      for (const more of [
        {},
        { mask },
        { kvLengths: [keys, 1999], returns },
        { causal: true, queryOffset: 1500, softcap: 3 },
      ]) {
        const call = { ...inputs, ...more };
        expect(judge(call, await run(call))).toSatisfy(passes);
      }
      // Hidden NaN, on the graph that keeps it out.
      const value = { ...inputs.value, data: (inputs.value.data as Float32Array).slice() };
      value.data[(keys - 1) * 4] = Number.NaN;
      const clean = await run({ ...inputs, kvLengths: [1999, 1999] });
      const { output } = await run({ ...inputs, value, kvLengths: [1999, 1999] });
      for (const [i, x] of Array.from(output.data).entries())
        expect(x).toBeCloseTo(clean.output.data[i] as number, 5);
    }
  });

  test("more heads than the operator Attention can count", async () => {
    const heads = 46342;
    const of = (length: number, first: number): HostTensor => {
      const data = Float32Array.from({ length: heads * length }, (_, i) => first + (i % 7));
      return tensor(data, [1, heads, length, 1]);
    };
    const inputs = { query: of(1, 0), key: of(2, 0), value: of(2, 1) };
    const expected = (h: number): number => {
      const at = (i: number): number => i % 7;
      const [q, k0, k1] = [at(h), at(2 * h), at(2 * h + 1)];
      const [w0, w1] = [Math.exp(q * k0 - 36), Math.exp(q * k1 - 36)];
      return (w0 * (1 + k0) + w1 * (1 + k1)) / (w0 + w1);
    };
    const { output } = await run(inputs);
    for (let h = 0; h < heads; h += 1009) {
      expect(output.data[h]).toBeCloseTo(expected(h), 4);
    }
    expect(output.data[heads - 1]).toBeCloseTo(expected(heads - 1), 4);
  });
});

test("values are cut into chunks only where panels do not add them up, or one row reads them in place", () => {
  expect(chunkSpec(4096, 1, true)).toEqual({ sums: "even", products: "chunks" });
  expect(chunkSpec(4096, 2, true)).toEqual({ sums: "even", products: "panels" });
  expect(chunkSpec(4099, 1, true)).toEqual({ sums: "ragged", products: "panels" });
  expect(chunkSpec(16411, 3, false)).toEqual({ sums: "ragged", products: "chunks" });
});

test("chunks are all of the keys where they can be, and else leave fewer than one over", () => {
  expect(keyChunks(32768)).toEqual({ kind: "even", count: 128, length: 256 });
  expect(keyChunks(2 ** 25)).toMatchObject({ kind: "even" });
  expect(keyChunks(8191).kind).toBe("ragged");
  for (let keys = 2049; keys < 20000; keys += 37) {
    const { kind, count, length } = keyChunks(keys);
    expect(length).toBeGreaterThanOrEqual(128);
    const rest = keys - count * length;
    if (kind === "even") expect(rest).toBe(0);
    else expect(rest).toBeGreaterThan(0);
    expect(rest).toBeLessThan(length);
  }
});
