import {
  createAttention,
  fromFloat64,
  type HostTensor,
  InvalidInputError,
  type ProjectionInputs,
  projection,
  reference,
  tensor,
  toFloat64,
  transpose,
  zeros,
} from "@heed/core";
import { describe, expect, test } from "vitest";

type Call = ProjectionInputs<HostTensor>;

async function compute(call: Call): Promise<HostTensor> {
  const attention = await createAttention({ backends: [reference()], selfTest: false });
  const { output } = await attention.apply(projection, call);
  await attention.dispose();
  return output as HostTensor;
}

describe("projection", () => {
  const input = tensor(Float32Array.of(1, 2, 3, 4, 5, 6), [1, 2, 3]);
  const weight = tensor(Float32Array.of(1, 0, 0, 0, 10, 100), [2, 3]);

  test("multiplies by the weight as torch.nn.Linear lays it, and adds the bias, by hand", async () => {
    expect([...toFloat64(await compute({ input, weight }))]).toEqual([1, 320, 4, 650]);
    const bias = tensor(Float32Array.of(0.5, -1), [2]);
    const output = await compute({ input, weight, bias });
    expect(output.shape).toEqual([1, 2, 2]);
    expect([...toFloat64(output)]).toEqual([1.5, 319, 4.5, 649]);
  });

  test("reads any strides", async () => {
    const turned = transpose(tensor(Float32Array.of(1, 0, 0, 10, 0, 100), [3, 2]), [1, 0]);
    expect([...toFloat64(await compute({ input, weight: turned }))]).toEqual([1, 320, 4, 650]);
  });

  test("a sum of nothing is 0, or the bias", async () => {
    const call = { input: zeros("float32", [1, 2, 0]), weight: zeros("float32", [2, 0]) };
    expect([...toFloat64(await compute(call))]).toEqual([0, 0, 0, 0]);
    const bias = tensor(Float32Array.of(3, 4), [2]);
    expect([...toFloat64(await compute({ ...call, bias }))]).toEqual([3, 4, 3, 4]);
  });

  test("rounds once", async () => {
    const small = fromFloat64([1, 2 ** -11, 2 ** -30], [1, 1, 3], "float16");
    const ones = fromFloat64([1, 1, 2 ** -10], [1, 3], "float16");
    expect([...toFloat64(await compute({ input: small, weight: ones }))]).toEqual([1]);
  });

  test("equal calls have the same problem", () => {
    const problem = projection.describe({ input, weight });
    expect(projection.describe({ input: zeros("float32", [1, 2, 3]), weight })).toBe(problem);
    expect(problem).toMatchObject({ operation: "projection", inputSize: 3, outputSize: 2 });
    const bound = projection.bind(problem, { input, weight });
    expect(projection.work(bound)).toEqual({ flops: 2 * 2 * 3 * 2, bytes: 4 * (6 + 4 + 6) });
  });

  test.each<[string, string, Readonly<Record<string, unknown>>]>([
    ["input", "of rank 2", { input: zeros("float32", [2, 3]) }],
    ["input", "of integers", { input: zeros("int32", [1, 2, 3]) }],
    ["weight", "the other way round", { weight: zeros("float32", [3, 2]) }],
    ["weight", "of another dtype", { weight: zeros("float16", [2, 3]) }],
    ["bias", "of another size", { bias: zeros("float32", [3]) }],
    ["bias", "of another dtype", { bias: zeros("float64", [2]) }],
    ["bias", "null", { bias: null }],
    [
      "weight",
      "whose output is past 2^31",
      {
        input: tensor(new Float32Array(3), [1, 2 ** 20, 3], { strides: [0, 0, 1] }),
        weight: tensor(new Float32Array(3), [2 ** 12, 3], { strides: [0, 1] }),
      },
    ],
  ])("%s %s is refused", (argument, _, change) => {
    let error: unknown = null;
    try {
      projection.describe({ input, weight, ...change } as Call);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(InvalidInputError);
    expect((error as InvalidInputError).argument).toBe(argument);
  });
});
