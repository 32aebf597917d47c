import { Random } from "@heed/conformance";
import {
  type Backend,
  type FloatDType,
  type HostTensor,
  type MergeInputs,
  type MergeOutputs,
  merge,
  type PartialAttention,
  slice,
  statisticsDType,
  tensor,
  toFloat64,
  transpose,
} from "@heed/core";
import { expect } from "vitest";

export type MergeCall = MergeInputs<HostTensor>;

const random = new Random("merge");

export function part(
  shape: readonly number[],
  dtype: FloatDType = "float32",
  logSumExpDType: FloatDType = "float32",
): PartialAttention {
  const output = random.tensor(shape, dtype);
  return { output, logSumExp: random.tensor(shape.slice(0, -1), logSumExpDType) };
}

export const parts = (
  count: number,
  shape: readonly number[],
  dtype?: FloatDType,
  logSumExpDType?: FloatDType,
): MergeCall => ({
  parts: Array.from({ length: count }, () => part(shape, dtype, logSumExpDType)),
});

/** Parts of rows with the given log-sum-exp, whose outputs are all of one number each. */
export function constantParts(
  logSumExps: readonly (readonly number[])[],
  outputs: readonly number[],
  valueDim = 5,
): MergeCall {
  return {
    parts: logSumExps.map((lse, p) => ({
      output: tensor(new Float32Array(lse.length * valueDim).fill(outputs[p] as number), [
        lse.length,
        valueDim,
      ]),
      logSumExp: tensor(Float32Array.from(lse), [lse.length]),
    })),
  };
}

const none = Number.NEGATIVE_INFINITY;

const sizes = [1, 2, 3, 9].flatMap((count) => [1, 7, 64].map((valueDim) => [count, valueDim]));

/** Calls whose numbers every provider computes, those without reliable infinities too. */
export const anywhere: readonly (readonly [string, MergeCall])[] = [
  ...(sizes as [number, number][]).map(
    ([count, valueDim]) =>
      [`${count} parts of size ${valueDim}`, parts(count, [2, 3, 5, valueDim])] as const,
  ),
  ["float16", parts(3, [2, 3, 5, 7], "float16", "float32")],
  ["float16 throughout", parts(3, [2, 3, 5, 8], "float16", "float16")],
  ["log-sum-exp of float16", parts(2, [6, 9], "float32", "float16")],
  ["one row", parts(2, [7])],
  ["five leading axes", parts(2, [2, 1, 3, 1, 2, 4])],
  [
    "other axes in memory, and gaps",
    {
      parts: [
        part([2, 3, 5, 4]),
        {
          output: transpose(random.tensor([2, 5, 3, 4], "float32"), [0, 2, 1, 3]),
          logSumExp: transpose(random.tensor([5, 3, 2], "float32"), [2, 1, 0]),
        },
        {
          output: slice(random.tensor([2, 3, 5, 9], "float32"), 3, 4, 8),
          logSumExp: slice(random.tensor([2, 3, 8], "float32"), 2, 1, 6),
        },
      ],
    },
  ],
  [
    "rows of float16 with gaps",
    {
      parts: [
        part([4, 6], "float16"),
        {
          output: slice(random.tensor([9, 6], "float16"), 0, 2, 6),
          logSumExp: slice(random.tensor([9], "float32"), 0, 3, 7),
        },
      ],
    },
  ],
  [
    "rows that one part, all but one and no part saw",
    constantParts(
      [
        [none, 1, none, 2],
        [0.5, none, none, 3],
        [none, none, none, none],
      ],
      [Number.NaN, 5, Number.POSITIVE_INFINITY],
    ),
  ],
  [
    "no part saw a key",
    constantParts(
      [
        [none, none],
        [none, none],
      ],
      [Number.NaN, 1],
      1,
    ),
  ],
  ["one part that saw no key", constantParts([[none, 1]], [3], 64)],
  [
    "log-sum-exp far apart",
    constantParts(
      [
        [-700, 1e30],
        [700, -1e30],
        [0, 0],
      ],
      [1, 2, 3],
    ),
  ],
  ["the sum of outputs is beyond float32", constantParts([[0], [0], [0]], [3e38, 3e38, -1e38])],
  ["no rows", parts(2, [2, 0, 4])],
  ["no values", parts(2, [2, 3, 0])],
  ["a hundred parts", parts(100, [3, 4])],
];

/** The outputs of a call, compared with the float64 reference. */
export async function checkMerge(backend: Backend, call: MergeCall): Promise<void> {
  const problem = merge.describe(call);
  const plan = await backend.plan(problem);
  expect(plan.description.kernel).toMatch(/^merge-plain-/);
  const outputs = (await plan.run(call)) as MergeOutputs<HostTensor>;
  plan.dispose();
  const expected = merge.reference(merge.bind(problem, call)) as MergeOutputs<HostTensor>;
  const { dtype, shape, valueDim } = problem;
  expect(outputs.output.dtype).toBe(dtype);
  expect(outputs.logSumExp.dtype).toBe(statisticsDType(dtype));
  expect(outputs.output.shape).toEqual([...shape, valueDim]);
  expect(outputs.logSumExp.shape).toEqual(shape);

  const unit = dtype === "float64" ? 2 ** -53 : 2 ** -24;
  const count = problem.parts;
  const largest = Math.max(
    0,
    ...call.parts.flatMap(({ output }) =>
      [...toFloat64(output)].filter(Number.isFinite).map(Math.abs),
    ),
  );
  compare(outputs.output, expected.output, (value) => {
    // Half of the distance to the next float16.
    const rounding = dtype === "float16" ? Math.abs(value) * 2 ** -11 + 2 ** -25 : 0;
    return rounding + largest * (count + 16) * unit;
  });
  compare(
    outputs.logSumExp,
    expected.logSumExp,
    (value) => (count + 16) * unit * Math.max(1, Math.abs(value)),
  );
}

function compare(got: HostTensor, expected: HostTensor, allowed: (value: number) => number): void {
  const values = toFloat64(got);
  for (const [i, value] of toFloat64(expected).entries()) {
    const own = values[i] as number;
    if (!Number.isFinite(value)) expect(own).toBe(value);
    else expect(Math.abs(own - value)).toBeLessThanOrEqual(allowed(value));
  }
}
