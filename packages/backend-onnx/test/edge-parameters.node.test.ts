/** Parameters at the edge of their dtype, by numbers. */
import { onnx, toOnnx } from "@heed/backend-onnx";
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

type Call = AttentionInputs<HostTensor>;

const column = (...values: number[]): HostTensor => tensor(values, [1, 1, values.length, 1]);
const double = (...values: number[]): HostTensor =>
  tensor(Float64Array.from(values), [1, 1, values.length, 1]);
const simple: Call = { query: column(1), key: column(0, 0), value: column(10, 20) };
const one = { ...simple, key: column(0, 1) };
const sigmoid = 10 + 10 / (1 + Math.exp(-1));

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

  test.each<[string, Call, number]>([
    ["a sink of 3e38", { ...simple, sinks: [3e38] }, 0],
    ["a sink of −3e38", { ...simple, sinks: [-3e38] }, 15],
    ["a bias of 3e38", { ...simple, bias: tensor([3e38, 0], [2]) }, 10],
    ["a bias of −3e38", { ...simple, bias: tensor([-3e38, 0], [2]) }, 20],
    ["biases of 3e38 and −3e38", { ...simple, bias: tensor([3e38, -3e38], [2]) }, 10],
    ["a scale of 3e38", { ...simple, query: column(0), scale: 3e38 }, 15],
    ["a scale of −3e38", { ...simple, query: column(0), scale: -3e38 }, 15],
    [
      "a scale of 3e38 that a small query makes 1",
      { ...one, query: column(1 / 3e38), scale: 3e38 },
      sigmoid,
    ],
    ["a scale of 1e-40", { ...one, scale: 1e-40 }, 15],
    ["a softcap of 1e-40", { ...one, softcap: 1e-40 }, 15],
    ["a softcap of 1e-40, where all scores are 0", { ...simple, softcap: 1e-40 }, 15],
    ["a softcap of 1e-30", { ...one, softcap: 1e-30 }, 15],
    ["a softcap of 3e38", { ...one, softcap: 3e38 }, sigmoid],
    ["a softcap of 2^60", { ...one, softcap: 2 ** 60 }, sigmoid],
    ["a softcap of 1e19 and large scores", { ...simple, key: column(0, 1e30), softcap: 1e19 }, 20],
    ["a softcap of 1e18", { ...one, softcap: 1e18 }, sigmoid],
    ["slopes of 3e38", { ...simple, causal: true, queryOffset: 1, alibiSlopes: [3e38] }, 20],
  ])("%s", async (_, inputs, expected) => {
    for (const returns of [{}, { logSumExp: true }, { scores: "raw" as const }]) {
      const { output } = await run({ ...inputs, returns });
      expect(output.data[0]).toBeCloseTo(expected, 4);
    }
    expect(toOnnx(describeProblem(inputs)).length).toBeGreaterThan(0);
  });

  test.each<[string, Partial<Call>]>([
    ["a scale", { scale: 0.3 }],
    ["a softcap", { softcap: 0.7 }],
    ["a softcap and scores", { softcap: 0.7, returns: { scores: "raw" } }],
    ["scores", { scale: 0.3, returns: { scores: "biased" } }],
    ["weights", { scale: 1 / Math.sqrt(59), returns: { weights: true, logSumExp: true } }],
    ["causal", { scale: 0.3, causal: true, queryOffset: 1 }],
  ])("float64 keeps its digits with %s, at any head size", async (_, more) => {
    const values = Array.from({ length: 12 }, (__, i) => Math.sin(1 + 7 * i));
    const calls: Call[] = [
      { query: double(0.9), key: double(0.4, -0.7), value: double(10, 20), ...more },
    ];
    for (const size of [1, 2, 3]) {
      const of = (heads: number, length: number): HostTensor =>
        tensor(Float64Array.from(values.slice(0, heads * length * size)), [1, heads, length, size]);
      calls.push({ query: of(2, 1), key: of(2, 2), value: of(2, 2), ...more });
      calls.push({ query: of(2, 2), key: of(1, 3), value: of(1, 3), ...more });
    }
    for (const inputs of calls) expect(judge(inputs, await run(inputs))).toSatisfy(passes);
  });
});
