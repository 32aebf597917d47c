/** Rotary position embedding on CPU providers, against core's float64 reference. */
import { onnx } from "@heed/backend-onnx";
import { Random } from "@heed/conformance";
import {
  type Backend,
  cast,
  type HostTensor,
  type RotaryInputs,
  rotary,
  slice,
  toFloat64,
  transpose,
} from "@heed/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rotaryGraph, rotarySpec } from "../src/rotary/graph.js";
import { decideRotary } from "../src/rotary/plan.js";
import { traitsOf } from "../src/runtime/traits.js";

type Call = RotaryInputs<HostTensor>;

const random = new Random("rotary");
const input = (
  shape: readonly number[],
  dtype: "float64" | "float32" | "float16" = "float32",
): HostTensor => random.tensor(shape, dtype);

const table = { cos: input([40, 4]), sin: input([40, 4]) };

const calls: readonly (readonly [string, Call])[] = [
  ["one vector", { input: input([1, 1, 1, 2]), theta: 10_000, offset: 7 }],
  ["theta", { input: input([2, 3, 5, 16]), theta: 10_000 }],
  ["interleaved pairs", { input: input([2, 3, 5, 16]), theta: 500, interleaved: true }],
  ["one interleaved pair", { input: input([2, 1, 3, 2]), theta: 500, interleaved: true }],
  ["a part of each vector", { input: input([2, 3, 5, 15]), theta: 100, rotaryDim: 8 }],
  [
    "a part, interleaved",
    { input: input([1, 2, 7, 11]), theta: 100, rotaryDim: 6, interleaved: true, offset: 3 },
  ],
  ["an offset for each batch", { input: input([2, 3, 5, 8]), theta: 1e4, offset: [3, 900] }],
  [
    "positions",
    {
      input: input([2, 3, 5, 8]),
      inverseFrequencies: [1, 0.5, 0.1, 0.01],
      positions: Int32Array.from([0, 9, 3, 3, 70, 1, 2, 80, 4, 5]),
    },
  ],
  [
    "tables",
    { input: input([2, 3, 5, 8]), ...table, positions: Int32Array.from([7, 0, 39, 2, 2]) },
  ],
  ["one row a token", { input: input([2, 3, 5, 8]), cos: input([2, 5, 4]), sin: input([2, 5, 4]) }],
  [
    "strided inputs and tables",
    {
      input: transpose(input([2, 5, 3, 8]), [0, 2, 1, 3]),
      cos: slice(input([40, 9]), 1, 3, 7),
      sin: slice(input([40, 9]), 1, 1, 5),
      offset: 11,
    },
  ],
  ["rows with gaps", { input: slice(input([1, 3, 9, 8]), 2, 3, 8), theta: 10 }],
  ["float64", { input: input([2, 3, 5, 16], "float64"), theta: 10_000, offset: 5 }],
  ["float16", { input: input([2, 3, 5, 16], "float16"), theta: 10_000, offset: 5 }],
  [
    "float16 with tables of float16",
    {
      input: input([1, 3, 5, 8], "float16"),
      cos: cast(table.cos, "float16"),
      sin: cast(table.sin, "float16"),
    },
  ],
  ["no heads", { input: input([2, 0, 5, 8]), theta: 10 }],
  ["no tokens", { input: input([2, 3, 0, 8]), theta: 10 }],
];

describe.each(["cpu", "wasm"] as const)("%s", (provider) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await onnx({ provider, threads: 1 }).load();
  });
  afterAll(() => backend.dispose());

  test.each(calls)("%s", async (_, call) => {
    const problem = rotary.describe(call);
    const plan = await backend.plan(problem);
    expect(plan.description.kernel).toBe(`rotary-plain-${provider}`);
    const { output } = (await plan.run(call)) as { output: HostTensor };
    plan.dispose();
    expect(output.shape).toEqual(call.input.shape);
    expect(output.dtype).toBe(call.input.dtype);
    const expected = toFloat64(rotary.reference(rotary.bind(problem, call)).output as HostTensor);
    const got = toFloat64(output);
    const [x, c, s] = [call.input, call.cos, call.sin].map((t) =>
      t ? Math.max(1, ...toFloat64(t).map(Math.abs)) : 1,
    ) as [number, number, number];
    const unit = { float64: 2 ** -51, float32: 2 ** -22, float16: 2 ** -22 }[problem.dtype];
    for (const [i, value] of expected.entries()) {
      // Half of the distance to the next float16.
      const rounding = problem.dtype === "float16" ? Math.abs(value) * 2 ** -11 + 2 ** -25 : 0;
      const error = Math.abs((got[i] as number) - value);
      expect(error).toBeLessThanOrEqual(rounding + x * (c + s) * unit);
    }
  });

  test("a plan turns by the angles of each call", async () => {
    const x = input([1, 2, 3, 4]);
    const plan = await backend.plan(rotary.describe({ input: x, theta: 10 }));
    for (const offset of [0, 5, 100]) {
      const call = { input: x, theta: 10, offset };
      const { output } = (await plan.run(call)) as { output: HostTensor };
      const bound = rotary.bind(rotary.describe(call), call);
      const expected = toFloat64(rotary.reference(bound).output as HostTensor);
      for (const [i, value] of expected.entries()) expect(output.data[i]).toBeCloseTo(value, 5);
    }
  });
});

test("float64 is refused where there are no kernels for it", () => {
  const gpu = traitsOf("webgpu", { float16: false, largestTensor: null });
  const problem = (dtype: "float64" | "float16") =>
    rotary.describe({ input: input([1, 1, 1, 4], dtype), theta: 10 });
  expect(decideRotary(problem("float64"), gpu)).toMatchObject({ reasons: [{ code: "dtype" }] });
  expect(decideRotary(problem("float16"), gpu)).toEqual({ decision: undefined });
});

test("sizes of batch, heads and length are no part of the graph", () => {
  const graphOf = (shape: readonly number[]) =>
    rotaryGraph(
      rotarySpec(
        rotary.describe({ input: input(shape), theta: 10 }),
        (dtype) => dtype,
        [0, 1, 2, 3],
      ),
    );
  expect(graphOf([1, 2, 3, 8])).toEqual(graphOf([2, 5, 1, 8]));
  expect(graphOf([1, 2, 3, 8])).not.toEqual(graphOf([1, 2, 3, 10]));
});
