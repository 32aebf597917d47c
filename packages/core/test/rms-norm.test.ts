import {
  createAttention,
  fromFloat64,
  type HostTensor,
  InvalidInputError,
  type RmsNormInputs,
  reference,
  rmsNorm,
  tensor,
  toFloat64,
  zeros,
} from "@heed/core";
import { expect, test } from "vitest";

async function compute(call: RmsNormInputs<HostTensor>): Promise<HostTensor> {
  const attention = await createAttention({ backends: [reference()], selfTest: false });
  const { output } = await attention.apply(rmsNorm, call);
  await attention.dispose();
  return output as HostTensor;
}

test("divides by the root of the mean square, by hand", async () => {
  const input = tensor(Float64Array.of(3, 4, 0, 0, -4, 3), [3, 2]);
  const weight = tensor(Float64Array.of(1, 10), [2]);
  // (9 + 16) / 2 = 12.5
  const root = Math.sqrt(12.5 + 1e-6);
  expect([...toFloat64(await compute({ input, weight }))]).toEqual([
    3 / root,
    (4 / root) * 10,
    0,
    0,
    -4 / root,
    (3 / root) * 10,
  ]);
  const ones = toFloat64(await compute({ input, weight, epsilon: 3.5 }));
  expect([...ones]).toEqual([3 / 4, 10, 0, 0, -1, 30 / 4]);
});

test("an empty vector has nothing to divide, and float16 is rounded once", async () => {
  const empty = { input: zeros("float32", [3, 0]), weight: zeros("float32", [0]) };
  expect((await compute(empty)).shape).toEqual([3, 0]);
  const half = fromFloat64([1, 1 + 2 ** -10], [2], "float16");
  const output = await compute({ input: half, weight: fromFloat64([1, 1], [2], "float16") });
  expect(output.dtype).toBe("float16");
  expect(toFloat64(output).every((x) => Math.abs(x - 1) <= 2 ** -10)).toBe(true);
});

test("equal calls have the same problem, whose epsilon is data; wrong ones name the argument", () => {
  const input = zeros("float32", [2, 4]);
  const weight = zeros("float32", [4]);
  const problem = rmsNorm.describe({ input, weight });
  expect(rmsNorm.describe({ input, weight, epsilon: 1 })).toBe(problem);
  expect(
    rmsNorm.describe({ input: zeros("float32", [8]), weight: zeros("float32", [8]) }),
  ).not.toBe(problem);
  expect(rmsNorm.work(rmsNorm.bind(problem, { input, weight }))).toEqual({
    flops: 32,
    bytes: 4 * (8 + 4 + 8),
  });
  for (const [argument, call] of Object.entries({
    input: { input: zeros("float32", [1, 1, 1, 2, 4]), weight },
    weight: { input, weight: zeros("float16", [4]) },
    epsilon: { input, weight, epsilon: 0 },
    inputs: { input, weight, eps: 1 },
  })) {
    const attempt = (): unknown => rmsNorm.describe(call as never);
    expect(attempt).toThrow(InvalidInputError);
    expect(attempt).toThrow(argument);
  }
});
