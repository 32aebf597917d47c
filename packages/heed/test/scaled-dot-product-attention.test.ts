import { referenceAttention, type Tensor, toFloat64, zeros } from "@heed/core";
import { afterAll, describe, expect, test } from "vitest";
import {
  type Attention,
  createAttention,
  type HostInput,
  type HostTensor,
  isHeedError,
  type ScaledDotProductOptions,
  scaledDotProductAttention as sdpa,
  tensor,
} from "../src/index.js";

const filled = (shape: readonly number[], seed = 1): HostTensor<"float32"> =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) =>
      Math.sin(seed + 1.7 * i),
    ),
    shape,
  );

/** softmax(scale · query keyᵀ, where `sees`) value of one head, as PyTorch's documentation writes it. */
function expected(
  [q, k, v]: readonly [HostTensor, HostTensor, HostTensor],
  sees: (i: number, j: number) => boolean,
): number[] {
  const [L, E] = q.shape.slice(-2) as [number, number];
  const [S, Ev] = v.shape.slice(-2) as [number, number];
  const out: number[] = [];
  for (let i = 0; i < L; i++) {
    const weights = Array.from({ length: S }, (_, j) => {
      if (!sees(i, j)) return 0;
      let dot = 0;
      for (let d = 0; d < E; d++) dot += Number(q.data[i * E + d]) * Number(k.data[j * E + d]);
      return Math.exp(dot / Math.sqrt(E));
    });
    const sum = weights.reduce((a, b) => a + b, 0);
    for (let d = 0; d < Ev; d++) {
      const total = weights.reduce((a, w, j) => a + w * Number(v.data[j * Ev + d]), 0);
      out.push(sum === 0 ? 0 : total / sum);
    }
  }
  return out;
}

function expectClose(t: Tensor, values: ArrayLike<number>): void {
  const got = toFloat64(t as HostTensor);
  expect(got.length).toBe(values.length);
  for (let i = 0; i < got.length; i++) expect(got[i]).toBeCloseTo(values[i] as number, 5);
}

let attention: Attention | undefined;
const onJs = async (): Promise<{ attention: Attention }> => {
  attention ??= await createAttention({ backends: ["js"] });
  return { attention };
};
afterAll(() => attention?.dispose());

describe("scaledDotProductAttention", () => {
  test("is one call, without any preparation", async () => {
    const [q, k, v] = [filled([1, 1, 2, 4]), filled([1, 1, 3, 4], 2), filled([1, 1, 3, 5], 3)];
    const output: HostTensor<"float32"> = await sdpa(q, k, v);
    expect(output.shape).toEqual([1, 1, 2, 5]);
    expectClose(
      output,
      expected([q, k, v], () => true),
    );
  });

  test.each([
    [2, 5],
    [5, 2],
    [3, 3],
  ])("isCausal counts from the top left: %i queries, %i keys", async (queries, keys) => {
    const q = filled([1, 1, queries, 4]);
    const [k, v] = [filled([1, 1, keys, 4], 2), filled([1, 1, keys, 4], 3)];
    const output = await sdpa(q, k, v, { isCausal: true, ...(await onJs()) });
    expectClose(
      output,
      expected([q, k, v], (i, j) => j <= i),
    );
  });

  test("rank 2 and 3 come out as they went in", async () => {
    const [q, k, v] = [filled([2, 4]), filled([3, 4], 2), filled([3, 5], 3)];
    const output = await sdpa(q, k, v, await onJs());
    expect(output.shape).toEqual([2, 5]);
    expectClose(
      output,
      expected([q, k, v], () => true),
    );
    const of = (t: HostTensor, shape: number[]) => ({ data: t.data, shape });
    const three = await sdpa(
      of(q, [2, 1, 4]),
      of(filled([6, 4], 2), [2, 3, 4]),
      filled([2, 3, 5]),
      {
        attnMask: tensor([true, false, true, true, true, true], [2, 1, 3]),
        ...(await onJs()),
      },
    );
    expect(three.shape).toEqual([2, 1, 5]);
  });

  test("attnMask is a condition or is added; scale and shared heads are PyTorch's", async () => {
    const [q, k, v] = [filled([2, 4, 3, 8]), filled([2, 2, 5, 8], 2), filled([2, 2, 5, 8], 3)];
    const bool = tensor(
      Array.from({ length: 15 }, (_, i) => i % 4 !== 1),
      [3, 5],
    );
    const added = filled([2, 1, 1, 5], 4);
    const options = { enableGqa: true, scale: 0.3, ...(await onJs()) };
    const call = { query: q, key: k, value: v, scale: 0.3 };
    expectClose(
      await sdpa(q, k, v, { ...options, attnMask: bool }),
      referenceAttention({ ...call, mask: bool }).output.data as Float64Array,
    );
    expectClose(
      await sdpa(q, k, v, { ...options, attnMask: added }),
      referenceAttention({ ...call, bias: added }).output.data as Float64Array,
    );
  });

  test("takes arrays with shapes, and tensors in a backend's memory", async () => {
    const data = Float32Array.from({ length: 12 }, (_, i) => i / 12);
    const array = { data, shape: [1, 1, 3, 4] };
    const whole = await sdpa(array, array, array, {
      attnMask: { data: new Uint8Array([1, 0, 1]), shape: [3], dtype: "bool" },
      ...(await onJs()),
    });
    const [t] = [tensor(data, [1, 1, 3, 4])];
    expectClose(
      whole,
      expected([t, t, t], (_, j) => j !== 1),
    );
    const own = await createAttention({ backends: ["wasm"], fallback: "silent" });
    const uploaded = await own.upload(t);
    const output = await sdpa(uploaded, t, t, { attention: own });
    expectClose(
      await (output as typeof uploaded).read(),
      expected([t, t, t], () => true),
    );
    await own.dispose();
  });

  const t = zeros("float32", [1, 2, 3, 4]);
  const flat = new Float32Array(24) as unknown as HostInput;
  const four = zeros("float32", [1, 4, 3, 4]);
  const mask = zeros("bool", [3]);
  type Arguments = [HostInput, HostInput, HostInput, unknown?];
  test.each<[string, Arguments, string, RegExp]>([
    ["no shape", [flat, t, t], "query", /\{ data, shape \}/],
    [
      "a shape that does not fit",
      [{ data: new Float32Array(3), shape: [2, 2] }, t, t],
      "query.data",
      /4 elements/,
    ],
    ["no tensors at all", [undefined as never, t, t], "query", /a tensor/],
    ["rank 1", [zeros("float32", [3]), t, t], "query", /rank 2 to 4/],
    ["ranks that differ", [t, zeros("float32", [3, 4]), t], "key", /rank 4/],
    ["heads that differ", [four, t, t], "key", /enableGqa/],
    [
      "a mask beside isCausal",
      [t, t, t, { isCausal: true, attnMask: mask }],
      "attnMask",
      /isCausal/,
    ],
    ["dropout", [t, t, t, { dropoutP: 0.1 }], "dropoutP", /training/],
    ["isCausal that is no boolean", [t, t, t, { isCausal: 1 }], "isCausal", /boolean/],
    ["options that are none", [t, t, t, 3], "options", /object/],
    ["options that are null", [t, t, t, null], "options", /object/],
  ])("refuses %s", async (_, [q, k, v, options], argument, message) => {
    const error = await sdpa(q, k, v, options as ScaledDotProductOptions).catch((e) => e);
    expect(isHeedError(error, "invalid-input")).toBe(true);
    expect(error.argument).toBe(argument);
    expect(error.message).toMatch(message);
  });

  test.each([
    ["attn_mask", "attnMask"],
    ["is_causal", "isCausal"],
    ["IsCausal", "isCausal"],
    ["enable_gqa", "enableGqa"],
    ["key_padding_mask", "paddingMask"],
    ["bias", "attnMask"],
    ["mask", "attnMask"],
    ["key_value_seq_lengths", "kvLengths"],
    ["local_window_size", "window"],
    ["nonpad_kv_seqlen", "kvLengths"],
    ["past_key", "onnxAttention"],
    ["qk_matmul_output_mode", "scores"],
    ["softcap", "softcap"],
    ["causal", "isCausal"],
    ["nonsense", "only attnMask, dropoutP"],
  ])("answers %s by naming %s", async (name, ours) => {
    const options = { [name]: true } as ScaledDotProductOptions;
    const error = await sdpa(t, t, t, options).catch((e) => e);
    expect(isHeedError(error, "invalid-input")).toBe(true);
    expect(error.expected).toContain(ours);
  });

  test("ends with its limits", async () => {
    const aborted = { signal: AbortSignal.abort(new Error("enough")), ...(await onJs()) };
    await expect(sdpa(t, t, t, aborted)).rejects.toThrow("enough");
  });
});
