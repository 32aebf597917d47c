import {
  type Attention,
  createAttention,
  type HostTensor,
  InvalidInputError,
  reference,
  splitHeads,
  tensor,
  toFloat64,
  zeros,
} from "@heed/core";
import { type OnnxAttentionInputs, onnxAttention } from "@heed/core/onnx";
import { beforeAll, describe, expect, test } from "vitest";

let attention: Attention;
beforeAll(async () => {
  attention = await createAttention({ backends: [reference()] });
});

const waves = (...shape: number[]): HostTensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 1.7)),
    shape,
  );

/** Batch 2, 2 heads, 3 queries, 4 keys, sizes 4 and 5. */
const inputs = (changes: object = {}): OnnxAttentionInputs => ({
  Q: waves(2, 2, 3, 4),
  K: waves(2, 2, 4, 4),
  V: waves(2, 2, 4, 5),
  ...changes,
});

const values = (t: HostTensor | undefined): number[] => [...toFloat64(t as HostTensor)];

describe("onnxAttention", () => {
  test("3-D inputs are 4-D inputs with heads merged, and give 3-D outputs", async () => {
    const flat = { Q: waves(2, 3, 8), K: waves(2, 4, 8), V: waves(2, 4, 10) };
    const heads = { q_num_heads: 2, kv_num_heads: 2 };
    const three = await onnxAttention(attention, flat, heads);
    const four = await onnxAttention(attention, {
      Q: splitHeads(flat.Q, 2),
      K: splitHeads(flat.K, 2),
      V: splitHeads(flat.V, 2),
    });
    expect(three.Y.shape).toEqual([2, 3, 10]);
    expect(values(splitHeads(three.Y, 2))).toEqual(values(four.Y));
    expect(three.present_key?.shape).toEqual([2, 2, 4, 4]);
  });

  test("a cache goes before the new keys, and moves the causal diagonal", async () => {
    const past = { past_key: waves(2, 2, 6, 4), past_value: waves(2, 2, 6, 5) };
    const got = await onnxAttention(attention, inputs(past), {
      is_causal: 1,
      qk_matmul_output_mode: 3,
    });
    expect(got.present_key?.shape).toEqual([2, 2, 10, 4]);
    expect(got.present_value?.shape).toEqual([2, 2, 10, 5]);
    expect(values(got.present_key).slice(0, 24)).toEqual(values(past.past_key).slice(0, 24));
    const visible = values(got.qk_matmul_output)
      .slice(0, 30)
      .map((weight) => (weight > 0 ? 1 : 0));
    expect(visible).toEqual([
      ...[1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
      ...[1, 1, 1, 1, 1, 1, 1, 1, 0, 0],
      ...[1, 1, 1, 1, 1, 1, 1, 1, 1, 0],
    ]);
  });

  test("without a cache the diagonal starts at 0; with nonpad_kv_seqlen it ends there", async () => {
    const weights = async (changes: object) =>
      values(
        (
          await onnxAttention(attention, inputs(changes), {
            is_causal: 1,
            qk_matmul_output_mode: 3,
          })
        ).qk_matmul_output,
      ).map((weight) => (weight > 0 ? 1 : 0));
    expect((await weights({})).slice(0, 12)).toEqual([1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0]);
    // Two keys for three queries: the first row sees none.
    const padded = await weights({ nonpad_kv_seqlen: BigInt64Array.of(2n, 4n) });
    expect(padded.slice(0, 12)).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0]);
    expect(padded.slice(24, 36)).toEqual([1, 1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 1]);
  });

  test("a mask shorter than the keys is padded, one of length 1 included", async () => {
    const short = await onnxAttention(
      attention,
      inputs({ attn_mask: tensor([true, true, true], [3, 1]) }),
      { qk_matmul_output_mode: 3 },
    );
    expect(values(short.qk_matmul_output).slice(0, 4)).toEqual([1, 0, 0, 0]);
    const added = await onnxAttention(attention, inputs({ attn_mask: zeros("float32", [3, 2]) }), {
      qk_matmul_output_mode: 2,
    });
    expect(values(added.qk_matmul_output).slice(2, 4)).toEqual([-Infinity, -Infinity]);
  });

  test("the four kinds of qk_matmul_output, padding and masks included", async () => {
    const call = inputs({
      nonpad_kv_seqlen: [3, 4],
      attn_mask: tensor([true, false, true, true], [4]),
    });
    const kind = async (qk_matmul_output_mode: number) =>
      values(
        (await onnxAttention(attention, call, { qk_matmul_output_mode, softcap: 1 }))
          .qk_matmul_output,
      ).slice(0, 4);
    const [raw, capped, masked, softmax] = await Promise.all([0, 1, 2, 3].map(kind));
    expect(raw?.every((s) => Number.isFinite(s) && s !== 0)).toBe(true);
    expect(capped).toEqual(raw?.map((s) => expect.closeTo(Math.tanh(s), 6)));
    expect(masked).toEqual([capped?.[0], -Infinity, capped?.[2], -Infinity]);
    expect(softmax?.[1]).toBe(0);
    expect(softmax?.[3]).toBe(0);
    expect((softmax?.[0] ?? 0) + (softmax?.[2] ?? 0)).toBeCloseTo(1, 6);
  });

  test("gives the outputs that are wanted", async () => {
    const only = await onnxAttention(attention, inputs(), {}, { outputs: ["Y"] });
    expect(Object.keys(only)).toEqual(["Y"]);
    const all = await onnxAttention(attention, inputs());
    expect(Object.keys(all)).toEqual(["Y", "present_key", "present_value", "qk_matmul_output"]);
  });

  test.each<[string, object, object, string]>([
    ["Q missing", { Q: undefined }, {}, "Q"],
    ["K of another rank", { K: waves(2, 4, 8) }, {}, "K"],
    [
      "3-D without heads",
      { Q: waves(2, 3, 8), K: waves(2, 4, 8), V: waves(2, 4, 8) },
      {},
      "q_num_heads",
    ],
    ["heads that contradict", {}, { q_num_heads: 3 }, "q_num_heads"],
    ["V of another length", { V: waves(2, 2, 5, 5) }, {}, "V"],
    ["a mask of another shape", { attn_mask: zeros("float32", [2, 4]) }, {}, "attn_mask"],
    ["a mask longer than the keys", { attn_mask: zeros("float32", [3, 5]) }, {}, "attn_mask"],
    ["a mask of another dtype", { attn_mask: zeros("float64", [3, 4]) }, {}, "attn_mask"],
    ["a past without values", { past_key: waves(2, 2, 1, 4) }, {}, "past_value"],
    [
      "a past of another size",
      { past_key: waves(2, 2, 1, 3), past_value: waves(2, 2, 1, 5) },
      {},
      "past_key",
    ],
    [
      "a past with nonpad_kv_seqlen",
      { past_key: waves(2, 2, 1, 4), past_value: waves(2, 2, 1, 5), nonpad_kv_seqlen: [1, 1] },
      {},
      "nonpad_kv_seqlen",
    ],
    ["nonpad_kv_seqlen past the keys", { nonpad_kv_seqlen: [1, 5] }, {}, "nonpad_kv_seqlen"],
    ["nonpad_kv_seqlen of floats", { nonpad_kv_seqlen: waves(2) }, {}, "nonpad_kv_seqlen"],
    [
      "nonpad_kv_seqlen with two axes",
      { nonpad_kv_seqlen: tensor(Int32Array.of(1, 1), [2, 1]) },
      {},
      "nonpad_kv_seqlen",
    ],
    [
      "a past of other heads",
      { past_key: waves(2, 1, 1, 4), past_value: waves(2, 1, 1, 5) },
      {},
      "past_key",
    ],
    ["nonpad_kv_seqlen for one of two", { nonpad_kv_seqlen: [1] }, {}, "nonpad_kv_seqlen"],
    ["is_causal of 2", {}, { is_causal: 2 }, "is_causal"],
    ["a mode of 4", {}, { qk_matmul_output_mode: 4 }, "qk_matmul_output_mode"],
    ["NaN scale", {}, { scale: Number.NaN }, "scale"],
    ["negative softcap", {}, { softcap: -1 }, "softcap"],
    ["a window of −2", {}, { left_window_size: -2 }, "left_window_size"],
    ["another precision", {}, { softmax_precision: 7 }, "softmax_precision"],
    ["another attribute", {}, { causal: 1 }, "causal"],
  ])("refuses %s, by the operator's own name", async (_, changes, attributes, argument) => {
    const error = await onnxAttention(attention, inputs(changes), attributes).catch((e) => e);
    expect(error).toBeInstanceOf(InvalidInputError);
    expect(error.argument).toBe(argument);
  });
});
