import {
  type Attention,
  createAttention,
  type HostTensor,
  InvalidInputError,
  reference,
  rmsNorm,
  splitHeads,
  tensor,
  toFloat64,
  zeros,
} from "@heed/core";
import {
  type OnnxGroupQueryAttentionInputs,
  onnxGroupQueryAttention,
  onnxMultiHeadAttention,
} from "@heed/core/onnx";
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
const values = (t: HostTensor | undefined): number[] => [...toFloat64(t as HostTensor)];

const heads = { num_heads: 4, kv_num_heads: 2 };
/** Two entries with one new token each after 3 and 1 of a past of 6 rows. */
const step = (changes: object = {}): OnnxGroupQueryAttentionInputs => ({
  query: waves(2, 1, 16),
  key: waves(2, 1, 8),
  value: waves(2, 1, 8),
  past_key: waves(2, 2, 6, 4),
  past_value: waves(2, 2, 6, 4),
  seqlens_k: [3, 1],
  total_sequence_length: 4,
  ...changes,
});

describe("onnxGroupQueryAttention", () => {
  test("a shared buffer is written in place and returned", async () => {
    const inputs = step();
    const before = values(inputs.past_key);
    const copied = await onnxGroupQueryAttention(attention, inputs, heads);
    expect(values(inputs.past_key)).toEqual(before);
    const shared = await onnxGroupQueryAttention(attention, inputs, heads, { sharedBuffer: true });
    expect(shared.present_key).toBe(inputs.past_key);
    expect(values(shared.output)).toEqual(values(copied.output));
    const written = values(inputs.past_key).slice(3 * 4, 4 * 4);
    expect(written).toEqual(values(inputs.key).slice(0, 4));
    expect(values(inputs.past_key).slice(16, 24)).toEqual(before.slice(16, 24));
  });

  test("rows beyond an entry's tokens have no influence, whatever they hold", async () => {
    const inputs = step();
    const { output } = await onnxGroupQueryAttention(attention, inputs, heads);
    const poisoned = step();
    for (const t of [poisoned.past_key, poisoned.past_value] as HostTensor[]) {
      for (let row = 0; row < 24; row++) {
        if (row % 6 < (row < 12 ? 3 : 1)) continue;
        (t.data as Float32Array).fill(Number.NaN, row * 4, row * 4 + 4);
      }
    }
    const again = await onnxGroupQueryAttention(attention, poisoned, heads);
    expect(values(again.output)).toEqual(values(output));
    expect(values(again.present_key).some(Number.isNaN)).toBe(false);
  });

  test("a past that holds all keys already takes no new ones", async () => {
    const inputs = step();
    const whole = await onnxGroupQueryAttention(attention, inputs, heads);
    const again = await onnxGroupQueryAttention(
      attention,
      step({
        key: zeros("float32", [2, 0, 8]),
        value: zeros("float32", [2, 0, 8]),
        past_key: whole.present_key,
        past_value: whole.present_value,
      }),
      heads,
    );
    expect(values(again.output)).toEqual(values(whole.output));
  });

  test("queries and keys are normalised before they are turned", async () => {
    const weights = { q_norm_weight: waves(4), k_norm_weight: waves(4) };
    const got = await onnxGroupQueryAttention(attention, step(weights), heads);
    const normalised = async (t: HostTensor, count: number): Promise<HostTensor> => {
      const call = { input: splitHeads(t, count) as HostTensor, weight: waves(4) };
      return (await attention.apply(rmsNorm, call)).output as HostTensor;
    };
    const [q, k] = [await normalised(waves(2, 1, 16), 4), await normalised(waves(2, 1, 8), 2)];
    const plain = await onnxGroupQueryAttention(
      attention,
      step({
        query: tensor(q.data, [2, 1, 16]),
        key: tensor(k.data, [2, 1, 8]),
      }),
      heads,
    );
    expect(values(got.output)).toEqual(values(plain.output));
  });

  test("without a causal mask, a prompt sees all of its keys", async () => {
    const prompt = {
      query: waves(1, 3, 16),
      key: waves(1, 3, 8),
      value: waves(1, 3, 8),
      seqlens_k: [2],
      total_sequence_length: 3,
    };
    const got = await onnxGroupQueryAttention(attention, prompt, { ...heads, causal: 0 });
    const wanted = await attention.run({
      query: splitHeads(prompt.query, 4) as HostTensor,
      key: splitHeads(prompt.key, 2) as HostTensor,
      value: splitHeads(prompt.value, 2) as HostTensor,
    });
    expect(values(splitHeads(got.output, 4) as HostTensor)).toEqual(values(wanted.output));
  });

  const f32 = (...shape: number[]) => zeros("float32", shape);
  test.each<[string, object, object?, object?]>([
    ["num_heads", {}, { num_heads: 3 }],
    ["num_heads", {}, { num_heads: undefined }],
    ["qk_outputs", {}, { qk_outputs: 1 }],
    ["local_window_size", {}, { local_window_size: 0 }],
    ["local_window_size", {}, { local_window_size: 2, causal: 0 }],
    ["local_window_size", {}, { sliding_window_cache: 1 }],
    ["k_quant_type", {}, { k_quant_type: "PER_TENSOR" }],
    ["kv_cache_bit_width", {}, { kv_cache_bit_width: 8 }],
    ["k_scale", { k_scale: f32(1) }],
    ["softcap", {}, { softcap: -1 }],
    ["query", { query: f32(2, 1, 18) }],
    ["key", { key: f32(2, 2, 8) }],
    ["value", { value: undefined }],
    ["past_value", { past_value: undefined }],
    ["past_key", { past_key: f32(2, 2, 2, 4), past_value: f32(2, 2, 2, 4) }],
    ["past_value", { past_value: f32(2, 2, 5, 4) }],
    ["past_key", { past_key: undefined, past_value: undefined }],
    ["seqlens_k", { seqlens_k: [3] }],
    ["seqlens_k", { seqlens_k: [4, 1] }],
    ["seqlens_k", { seqlens_k: [3, -1] }],
    ["total_sequence_length", { total_sequence_length: 0 }],
    ["cos_cache", {}, { do_rotary: 1 }],
    ["cos_cache", { cos_cache: f32(8, 3), sin_cache: f32(8, 3) }, { do_rotary: 1 }],
    ["cos_cache", { cos_cache: f32(8, 0), sin_cache: f32(8, 0) }, { do_rotary: 1 }],
    ["sin_cache", { cos_cache: f32(8, 2), sin_cache: f32(8) }, { do_rotary: 1 }],
    ["sharedBuffer", {}, {}, { sharedBuffer: "yes" }],
    [
      "position_ids",
      { cos_cache: f32(8, 2), sin_cache: f32(8, 2), position_ids: [1, 9] },
      { do_rotary: 1 },
    ],
    ["attention_bias", { attention_bias: f32(2, 4, 1, 6) }],
    ["head_sink", { head_sink: f32(3) }],
    ["head_sink", { head_sink: f32(4) }, { smooth_softmax: 1 }],
    ["k_norm_weight", { q_norm_weight: f32(4) }],
    ["inputs.querys", { querys: 1 }],
    ["past_key", { total_sequence_length: 7 }, {}, { sharedBuffer: true }],
    ["outputs", {}, {}, { outputs: ["Y"] }],
  ])("%s is named where it is wrong: %j %j", async (argument, changes, attributes, options) => {
    const run = onnxGroupQueryAttention(
      attention,
      step(changes),
      { ...heads, ...attributes },
      options as never,
    );
    await expect(run).rejects.toThrow(InvalidInputError);
    await expect(run).rejects.toMatchObject({ argument });
  });
});

describe("onnxMultiHeadAttention", () => {
  const qkv = () => ({ query: waves(2, 3, 8), key: waves(2, 3, 8), value: waves(2, 3, 12) });
  const two = { num_heads: 2 };

  test("packed tensors are views of what they pack", async () => {
    const packed = waves(2, 3, 2, 3, 4);
    const part = (from: number): HostTensor => {
      const rows = Array.from({ length: 12 }, (_, row) =>
        [...(packed.data as Float32Array)].slice((3 * row + from) * 4, (3 * row + from) * 4 + 4),
      );
      return tensor(Float32Array.from(rows.flat()), [2, 3, 8]);
    };
    const wanted = await onnxMultiHeadAttention(
      attention,
      { query: part(0), key: part(1), value: part(2) },
      two,
    );
    const got = await onnxMultiHeadAttention(attention, { query: packed }, two);
    expect(values(got.output)).toEqual(values(wanted.output));

    const kv = new Float32Array(2 * 3 * 2 * 2 * 4);
    const [k, v] = [values(part(1)), values(part(2))];
    for (let i = 0; i < 48; i++) {
      const [row, c] = [Math.floor(i / 4), i % 4];
      kv[(2 * row + 0) * 4 + c] = k[i] as number;
      kv[(2 * row + 1) * 4 + c] = v[i] as number;
    }
    const key = tensor(kv, [2, 3, 2, 2, 4]);
    const again = await onnxMultiHeadAttention(attention, { query: part(0), key }, two);
    expect(values(again.output)).toEqual(values(wanted.output));
  });

  test("a shared buffer is written in place", async () => {
    const buffers = { past_key: waves(2, 2, 6, 4), past_value: waves(2, 2, 6, 6) };
    const copy = (t: HostTensor, rows: number): HostTensor =>
      tensor(
        Float32Array.from(
          Array.from({ length: 4 }, (_, head) =>
            values(t)
              .slice(head * 6 * (t.shape[3] as number))
              .slice(0, rows * (t.shape[3] as number)),
          ).flat(),
        ),
        [2, 2, rows, t.shape[3] as number],
      );
    const past = { past_key: copy(buffers.past_key, 2), past_value: copy(buffers.past_value, 2) };
    const wanted = await onnxMultiHeadAttention(attention, { ...qkv(), ...past }, two);
    const got = await onnxMultiHeadAttention(
      attention,
      { ...qkv(), ...buffers, past_sequence_length: 2 },
      two,
    );
    expect(got.present_key).toBe(buffers.past_key);
    expect(values(got.output)).toEqual(values(wanted.output));
    expect(values(copy(buffers.past_key, 5))).toEqual(values(wanted.present_key));
  });

  test("lengths come with the starts of a padded batch", async () => {
    const lengths = tensor(Int32Array.of(3, 1), [2]);
    const starts = tensor(Int32Array.of(3, 1, 0, 3, 6, 0, 3, 6), [8]);
    const run = (key_padding_mask: HostTensor) =>
      onnxMultiHeadAttention(attention, { ...qkv(), key_padding_mask }, two);
    expect(values((await run(starts)).output)).toEqual(values((await run(lengths)).output));
    const packedRows = tensor(Int32Array.of(3, 1, 0, 3, 4, 0, 3, 4), [8]);
    await expect(run(packedRows)).rejects.toMatchObject({ argument: "key_padding_mask" });
  });

  const f32 = (...shape: number[]) => zeros("float32", shape);
  const i32 = (...shape: number[]) => zeros("int32", shape);
  test.each<[string, object, object?]>([
    ["num_heads", {}, { num_heads: 0 }],
    ["query", { query: f32(2, 3, 9) }],
    ["key", { key: f32(2, 3, 6) }],
    ["value", { value: undefined }],
    ["value", { value: f32(2, 4, 8) }],
    ["bias", { bias: f32(3) }],
    ["key_padding_mask", { key_padding_mask: f32(2) }],
    ["key_padding_mask", { key_padding_mask: i32(3) }],
    ["key_padding_mask", { key_padding_mask: i32(2, 4) }],
    ["key_padding_mask", { key_padding_mask: tensor(Int32Array.of(4, 1), [2]) }],
    ["attention_bias", { attention_bias: f32(3, 2, 3, 3) }],
    ["past_value", { past_key: f32(2, 2, 1, 4) }],
    ["past_key", { past_key: f32(2, 2, 1, 3), past_value: f32(2, 2, 1, 6) }],
    ["past_key", { past_sequence_length: 1 }],
    ["cache_indirection", { cache_indirection: i32(2, 1, 3) }],
    ["query", { key: undefined, value: undefined }],
    ["unidirectional", {}, { unidirectional: 2 }],
    ["do_rotary", {}, { do_rotary: 1 }],
  ])("%s is named where it is wrong: %j", async (argument, changes, attributes) => {
    const run = onnxMultiHeadAttention(
      attention,
      { ...qkv(), ...changes } as never,
      { ...two, ...attributes } as never,
    );
    await expect(run).rejects.toThrow(InvalidInputError);
    await expect(run).rejects.toMatchObject({ argument });
  });
});
