/** Merging of partial attention on CPU providers, against core's float64 reference. */
import { onnx } from "@heed/backend-onnx";
import {
  type AttentionOutputs,
  attention,
  type Backend,
  type HostTensor,
  type MergeOutputs,
  merge,
  tensor,
  toFloat64,
} from "@heed/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decideMerge } from "../src/merge/decide.js";
import { mergeGraph, mergeSpec } from "../src/merge/graph.js";
import { traitsOf } from "../src/runtime/traits.js";
import { anywhere, checkMerge, constantParts, type MergeCall, part, parts } from "./merge-calls.js";

const [nan, infinity] = [Number.NaN, Number.POSITIVE_INFINITY];

/** Float64, and numbers that are not finite where a row sees them. */
const onCpu: readonly (readonly [string, MergeCall])[] = [
  ["float64", parts(3, [2, 3, 5, 7], "float64", "float64")],
  ["float64 with log-sum-exp of float32", parts(3, [4, 7], "float64", "float32")],
  ["float32 with log-sum-exp of float64", parts(3, [4, 7], "float32", "float64")],
  ["float16 with log-sum-exp of float64", parts(3, [4, 7], "float16", "float64")],
  ["float64 without values", parts(2, [3, 0], "float64", "float64")],
  [
    "log-sum-exp of float64 that are one number in float32",
    {
      parts: [0, 1, 3].map((lse) => ({
        ...part([1, 6]),
        logSumExp: tensor(Float64Array.of(2 ** 30 + lse), [1]),
      })),
    },
  ],
  [
    "the largest numbers of float64",
    {
      parts: [Number.MAX_VALUE, -Number.MAX_VALUE].map((lse) => ({
        ...part([1, 6], "float64"),
        logSumExp: tensor(Float64Array.of(lse), [1]),
      })),
    },
  ],
  [
    "log-sum-exp of NaN",
    constantParts(
      [
        [nan, 0, nan, 1, -infinity, 5],
        [1, nan, nan, 1, nan, 5],
        [-infinity, 3, nan, 1, -infinity, 5],
      ],
      [1, 2, 3],
    ),
  ],
  ["one log-sum-exp of NaN", constantParts([[nan, 2]], [7])],
  [
    "log-sum-exp of infinity",
    constantParts(
      [
        [infinity, infinity, 0],
        [infinity, -infinity, 1],
      ],
      [1, 2],
    ),
  ],
  [
    "NaN and infinity that rows see",
    constantParts(
      [
        [1, 2, -infinity],
        [1, -infinity, 2],
      ],
      [nan, infinity],
    ),
  ],
  [
    "infinities that cancel",
    constantParts(
      [
        [1, 2],
        [1, -infinity],
      ],
      [infinity, -infinity],
    ),
  ],
];

describe.each(["cpu", "wasm"] as const)("%s", (provider) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await onnx({ provider, threads: 1 }).load();
  });
  afterAll(() => backend.dispose());

  test.each([...anywhere, ...onCpu])("%s", (_, call) => checkMerge(backend, call));

  test("one part is returned as it is", async () => {
    const call = parts(1, [3, 8]);
    const plan = await backend.plan(merge.describe(call));
    const { output, logSumExp } = (await plan.run(call)) as MergeOutputs<HostTensor>;
    expect(output.data).toEqual(call.parts[0]?.output.data);
    expect(logSumExp.data).toEqual(call.parts[0]?.logSumExp.data);
  });

  test("a plan merges what each call holds", async () => {
    const calls = [
      parts(3, [4, 6]),
      parts(3, [4, 6]),
      constantParts(Array(3).fill([1, 2, 3, 4]), [1, 2, 3], 6),
    ];
    const plan = await backend.plan(merge.describe(calls[0] as MergeCall));
    for (const call of calls) {
      const { output } = (await plan.run(call)) as MergeOutputs<HostTensor>;
      const bound = merge.bind(merge.describe(call), call);
      const expected = (merge.reference(bound) as MergeOutputs<HostTensor>).output;
      for (const [i, value] of toFloat64(expected).entries())
        expect(output.data[i]).toBeCloseTo(value, 5);
    }
  });

  test("attention over parts of the keys, merged, is attention over all of them", async () => {
    const query = part([2, 2, 3, 4]).output;
    const [key, value] = [part([2, 2, 7, 4]).output, part([2, 2, 7, 5]).output];
    const attend = async (bias: readonly number[]): Promise<AttentionOutputs<HostTensor>> => {
      const call = {
        query,
        key,
        value,
        bias: tensor(Float32Array.from(bias), [1, 1, 1, 7]),
        returns: { logSumExp: true },
      };
      const plan = await backend.plan(attention.describe(call));
      return (await plan.run(call)) as AttentionOutputs<HostTensor>;
    };
    const keys = [0, 1, 2, 3, 4, 5, 6];
    const over = (seen: (key: number) => boolean) =>
      attend(keys.map((at) => (seen(at) ? 0 : -infinity)));
    const whole = await over(() => true);
    const pieces = [
      await over((at) => at < 2),
      await over(() => false),
      await over((at) => at >= 2),
    ];
    const call: MergeCall = {
      parts: pieces.map(({ output, logSumExp }) => ({
        output,
        logSumExp: logSumExp as HostTensor,
      })),
    };
    const plan = await backend.plan(merge.describe(call));
    const merged = (await plan.run(call)) as MergeOutputs<HostTensor>;
    for (const [i, x] of toFloat64(whole.output).entries()) {
      expect(merged.output.data[i]).toBeCloseTo(x, 5);
    }
    for (const [i, x] of toFloat64(whole.logSumExp as HostTensor).entries()) {
      expect(merged.logSumExp.data[i]).toBeCloseTo(x, 5);
    }
  });
});

const gpu = traitsOf("webgpu", { float16: false, largestTensor: 4096 });
const decided = (call: MergeCall, traits = gpu) => decideMerge(merge.describe(call), traits);

test("float64 is refused where there are no kernels for it, of outputs and of log-sum-exp", () => {
  const reason = { reasons: [{ code: "dtype" }] };
  expect(decided(parts(2, [3, 4], "float64"))).toMatchObject(reason);
  expect(decided(parts(2, [3, 4], "float32", "float64"))).toMatchObject(reason);
  expect(decided(parts(2, [3, 4], "float16", "float16"))).toEqual({ decision: undefined });
});

test("tensors larger than a provider's, and calls of more memory than allowed, are refused", () => {
  expect(decided(parts(2, [16, 64]))).toEqual({ decision: undefined });
  expect(decided(parts(2, [17, 64]))).toMatchObject({ reasons: [{ code: "too-large" }] });
  const small = traitsOf("cpu", { float16: true, largestTensor: null }, 1000);
  expect(decided(parts(2, [2, 4]), small)).toEqual({ decision: undefined });
  expect(decided(parts(2, [17, 64]), small)).toMatchObject({ reasons: [{ code: "memory" }] });
  const wasm = { ...traitsOf("wasm", { float16: true, largestTensor: null }), memory: 20_000 };
  expect(decided(parts(2, [17, 64]), wasm)).toMatchObject({ reasons: [{ code: "too-large" }] });
  expect(decided(parts(1, [1, 64]), wasm)).toEqual({ decision: undefined });
});

test("the number of rows and the size of values are no part of the graph", () => {
  const graphOf = (call: MergeCall) => mergeGraph(mergeSpec(merge.describe(call), gpu));
  expect(graphOf(parts(2, [2, 3, 8]))).toEqual(graphOf(parts(2, [5, 1])));
  expect(graphOf(parts(2, [2, 8]))).not.toEqual(graphOf(parts(3, [2, 8])));
});
