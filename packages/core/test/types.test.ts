import {
  type Attention,
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionResult,
  allocate,
  cast,
  contiguous,
  createAttention,
  type DeviceTensor,
  type DType,
  fromFloat64,
  type HostTensor,
  mergeHeads,
  reference,
  referenceAttention,
  slice,
  type Tensor,
  type TypedArray,
  tensor,
  zeros,
} from "@heed/core";
import { describe, expect, expectTypeOf, test } from "vitest";

/** Tests of the types alone; other files test what the functions return. */

describe("data follows the dtype", () => {
  test("of arrays and lists", () => {
    expectTypeOf(tensor(new Float32Array(1), [1]).data).toEqualTypeOf<Float32Array>();
    expectTypeOf(tensor(new Float64Array(1), [1])).toEqualTypeOf<HostTensor<"float64">>();
    expectTypeOf(tensor(new Int32Array(1), [1]).data).toEqualTypeOf<Int32Array>();
    expectTypeOf(tensor(new Uint8Array(1), [1])).toEqualTypeOf<HostTensor<"uint8">>();
    const bool = tensor(new Uint8Array(1), [1], { dtype: "bool" });
    expectTypeOf(bool).toEqualTypeOf<HostTensor<"bool">>();
    expectTypeOf(tensor([1], [1])).toEqualTypeOf<HostTensor<"float32">>();
    expectTypeOf(tensor([true], [1])).toEqualTypeOf<HostTensor<"bool">>();
    const half = tensor([1], [1], { dtype: "float16" });
    expectTypeOf(half).toEqualTypeOf<HostTensor<"float16">>();
    expect(half.dtype).toBe("float16");
    const data = new Float32Array(1) as TypedArray;
    expectTypeOf(tensor(data, [1])).toEqualTypeOf<HostTensor>();
  });

  test("of what is made and of views", () => {
    expectTypeOf(zeros("float64", [2]).data).toEqualTypeOf<Float64Array>();
    expectTypeOf(allocate("int32", 2)).toEqualTypeOf<Int32Array>();
    expectTypeOf(cast(zeros("float32", [2]), "float64").data).toEqualTypeOf<Float64Array>();
    expectTypeOf(fromFloat64([1], [1], "float32").data).toEqualTypeOf<Float32Array>();
    expectTypeOf(slice(zeros("float32", [2]), 0, 1).data).toEqualTypeOf<Float32Array>();
    expectTypeOf(contiguous(zeros("int32", [2]))).toEqualTypeOf<HostTensor<"int32">>();
    expectTypeOf<typeof mergeHeads<DeviceTensor>>().returns.toEqualTypeOf<DeviceTensor>();
    expectTypeOf<HostTensor<"float32">>().toExtend<HostTensor>();
    expectTypeOf<DeviceTensor<"float32">>().toExtend<Tensor>();
    expect(mergeHeads(zeros("float32", [1, 1, 1, 1])).data[0]).toBe(0);
  });
});

describe("outputs follow returns", () => {
  const query = zeros("float32", [1, 1, 1, 2]);
  const call = { query, key: query, value: query };

  test("of a call that is written out", async () => {
    await using attention = await createAttention({ backends: [reference()] });
    const asked = await attention.run({ ...call, returns: { logSumExp: true, scores: "raw" } });
    expectTypeOf(asked.output).toEqualTypeOf<HostTensor<"float32">>();
    expectTypeOf(asked.logSumExp).toEqualTypeOf<HostTensor<"float32">>();
    expectTypeOf(asked.scores).toEqualTypeOf<HostTensor<"float32">>();
    expectTypeOf(asked.weights).toEqualTypeOf<HostTensor<"float32"> | undefined>();
    expectTypeOf(asked.backend).toEqualTypeOf<string>();
    expect(asked.logSumExp.data.length + asked.scores.data.length).toBe(2);

    const plain = await attention.run(call);
    expectTypeOf(plain.logSumExp).toEqualTypeOf<HostTensor<"float32"> | undefined>();
    const not = await attention.run({ ...call, returns: { weights: false } });
    expectTypeOf(not.weights).toEqualTypeOf<HostTensor<"float32"> | undefined>();
    expect([plain.logSumExp, not.weights]).toEqual([undefined, undefined]);

    const wide = zeros("float64", [1, 1, 1, 2]);
    const exact = { query: wide, key: wide, value: wide, returns: { logSumExp: true } } as const;
    expectTypeOf((await attention.run(exact)).logSumExp.data).toEqualTypeOf<Float64Array>();
    expectTypeOf(referenceAttention(exact).logSumExp.data).toEqualTypeOf<Float64Array>();

    const calls = (): unknown => [
      // @ts-expect-error a misspelt input
      attention.run({ ...call, casual: true }),
      // @ts-expect-error a misspelt output
      attention.run({ ...call, returns: { logsumexp: true } }),
    ];
    for (const wrong of calls() as Promise<unknown>[]) await expect(wrong).rejects.toThrow(/only/);
  });

  test("of calls whose types say less", async () => {
    await using attention: Attention = await createAttention({ backends: [reference()] });
    const inputs: AttentionInputs<HostTensor> = call;
    const got = await attention.run(inputs);
    expectTypeOf(got).toExtend<AttentionResult<HostTensor>>();
    expectTypeOf(got).toExtend<AttentionOutputs<HostTensor>>();
    expectTypeOf(got.output).toEqualTypeOf<HostTensor>();
    const anywhere: AttentionInputs = call;
    const tensors = await attention.run(anywhere);
    expectTypeOf(tensors.output).toEqualTypeOf<HostTensor<DType> | DeviceTensor<DType>>();
    expectTypeOf(tensors).toExtend<AttentionOutputs>();
    expect(got.backend).toBe(tensors.backend);
  });
});
