/** Calls that com.microsoft.GroupQueryAttention refuses, with the whole of their errors. */
import { type Attention, createAttention, InvalidInputError, reference, zeros } from "@heed/core";
import { type OnnxGroupQueryAttentionInputs, onnxGroupQueryAttention } from "@heed/core/onnx";
import { beforeAll, describe, expect, test } from "vitest";
import { waves } from "./naive-attention.js";

let attention: Attention;
beforeAll(async () => {
  attention = await createAttention({ backends: [reference()], selfTest: false });
});

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

describe("refusals", () => {
  const f32 = (...shape: number[]) => zeros("float32", shape);
  const f64 = (...shape: number[]) => zeros("float64", shape);
  const tables = { cos_cache: f32(8, 2), sin_cache: f32(8, 2) };
  const turned = { do_rotary: 1 };
  const compact = { sliding_window_cache: 1, local_window_size: 3 };
  const table = "shape [max_sequence_length, at most 2], since do_rotary is 1";
  const [more, less] = ["from 0 to total_sequence_length − 1 = 3", "an integer ≥ 1"];
  const kv = "float32 of shape [2, 1 or 0, 8], as key and value have it";
  const quantised = "quantised caches are not supported";
  const bias = "float32 of shape [2 or 1, 4 or 1, 1, 4]";
  const together = "past_key and past_value together, or neither";
  test.each<[string, object, object, string, string, object?]>([
    ["num_heads", {}, { num_heads: 3 }, "a multiple of kv_num_heads 2", "3"],
    ["num_heads", {}, { num_heads: undefined }, less, "undefined"],
    ["kv_num_heads", {}, { kv_num_heads: 0 }, less, "0"],
    ["causal", {}, { causal: 2 }, "0 or 1", "2"],
    ["do_rotary", {}, { do_rotary: -1 }, "0 or 1", "-1"],
    ["rotary_interleaved", {}, { rotary_interleaved: 0.5 }, "0 or 1", "0.5"],
    ["smooth_softmax", {}, { smooth_softmax: 2 }, "0 or 1", "2"],
    ["sliding_window_cache", {}, { sliding_window_cache: 2 }, "0 or 1", "2"],
    [
      "local_window_size",
      {},
      { local_window_size: 0 },
      "−1, which is unbounded, or an integer ≥ 1",
      "0",
    ],
    [
      "local_window_size",
      {},
      { local_window_size: -2 },
      "−1, which is unbounded, or an integer ≥ 1",
      "-2",
    ],
    ["local_window_size", {}, { local_window_size: 1, causal: 0 }, "−1 where causal is 0", "1"],
    [
      "local_window_size",
      {},
      { sliding_window_cache: 1 },
      "an integer ≥ 1 where sliding_window_cache is 1",
      "undefined",
    ],
    [
      "local_window_size",
      {},
      { ...compact, local_window_size: -1 },
      "an integer ≥ 1 where sliding_window_cache is 1",
      "-1",
    ],
    ["qk_output", {}, { qk_output: 3 }, "0, 1 or 2", "3"],
    ["qk_output", {}, { qk_output: -1 }, "0, 1 or 2", "-1"],
    ["qk_output", {}, { ...compact, qk_output: 1 }, "0 where sliding_window_cache is 1", "another"],
    ["softcap", {}, { softcap: -1 }, "a finite number ≥ 0", "-1"],
    ["softcap", {}, { softcap: Infinity }, "a finite number ≥ 0", "Infinity"],
    ["qk_norm_epsilon", {}, { qk_norm_epsilon: -1 }, "a finite number ≥ 0", "-1"],
    ["scale", {}, { scale: Number.NaN }, "a finite number", "NaN"],
    ["k_quant_type", {}, { k_quant_type: "PER_TENSOR" }, `"NONE": ${quantised}`, '"PER_TENSOR"'],
    ["v_quant_type", {}, { v_quant_type: 1 }, `"NONE": ${quantised}`, "1"],
    ["kv_cache_bit_width", {}, { kv_cache_bit_width: 8 }, `0: ${quantised}`, "8"],
    ["k_scale", { k_scale: f32(1) }, {}, `nothing: ${quantised}`, "a value"],
    ["v_scale", { v_scale: f32(1) }, {}, `nothing: ${quantised}`, "a value"],
    ["query", { query: f32(2, 1, 18) }, {}, "a last axis that 4 heads divide", "[2, 1, 18]"],
    ["query", { query: f32(2, 1, 0) }, {}, "a last axis that 4 heads divide", "[2, 1, 0]"],
    [
      "query",
      { query: f32(2, 1, 20), key: undefined, value: undefined },
      {},
      "a last axis that 8 heads divide, as it is packed",
      "[2, 1, 20]",
    ],
    ["query", { query: f32(2, 16) }, {}, "3 axes", "[2, 16]"],
    [
      "query",
      { query: zeros("int32", [2, 1, 16]) },
      {},
      "dtype float64, float32 or float16",
      "int32",
    ],
    ["value", { value: undefined }, {}, "key and value together, or neither", "only one of them"],
    [
      "key",
      { key: undefined, query: f32(2, 1, 32) },
      {},
      "key and value together, or neither",
      "only one of them",
    ],
    ["key", { key: f32(2, 8) }, {}, "3 axes", "[2, 8]"],
    ["key", { key: f32(2, 2, 8) }, {}, kv, "float32 of shape [2, 2, 8]"],
    ["key", { key: f32(1, 1, 8) }, {}, kv, "float32 of shape [1, 1, 8]"],
    ["key", { key: f32(2, 1, 16) }, {}, kv, "float32 of shape [2, 1, 16]"],
    ["key", { key: f64(2, 1, 8) }, {}, kv, "float64 of shape [2, 1, 8]"],
    ["value", { value: f32(2, 0, 8) }, {}, kv, "float32 of shape [2, 0, 8]"],
    ["value", { value: f64(2, 1, 8) }, {}, kv, "float64 of shape [2, 1, 8]"],
    ["past_value", { past_value: undefined }, {}, together, "only one of them"],
    ["past_key", { past_key: undefined }, {}, together, "only one of them"],
    ["past_key", { past_key: f32(2, 2, 4) }, {}, "4 axes", "[2, 2, 4]"],
    ["past_value", { past_value: f32(2, 2, 4) }, {}, "4 axes", "[2, 2, 4]"],
    [
      "past_key",
      { past_key: f32(2, 1, 6, 4) },
      {},
      "float32 of shape [2, 2, rows, 4]",
      "float32 of shape [2, 1, 6, 4]",
    ],
    [
      "past_key",
      { past_key: f32(1, 2, 6, 4) },
      {},
      "float32 of shape [2, 2, rows, 4]",
      "float32 of shape [1, 2, 6, 4]",
    ],
    [
      "past_key",
      { past_key: f32(2, 2, 6, 5) },
      {},
      "float32 of shape [2, 2, rows, 4]",
      "float32 of shape [2, 2, 6, 5]",
    ],
    [
      "past_key",
      { past_key: f64(2, 2, 6, 4) },
      {},
      "float32 of shape [2, 2, rows, 4]",
      "float64 of shape [2, 2, 6, 4]",
    ],
    [
      "past_value",
      { past_value: f32(2, 2, 5, 4) },
      {},
      "float32 of shape [2, 2, 6, 4]",
      "float32 of shape [2, 2, 5, 4]",
    ],
    [
      "past_key",
      { past_key: f32(2, 2, 2, 4), past_value: f32(2, 2, 2, 4) },
      {},
      "at least 3 rows, as seqlens_k says",
      "2",
    ],
    [
      "past_key",
      { past_key: undefined, past_value: undefined },
      {},
      "a past of 3 tokens, as total_sequence_length says",
      "undefined",
    ],
    [
      "past_key",
      { total_sequence_length: 7 },
      {},
      "at least 7 rows, as total_sequence_length says",
      "6",
      { sharedBuffer: true },
    ],
    [
      "past_key",
      { past_key: undefined, past_value: undefined, total_sequence_length: 1, seqlens_k: [0, 0] },
      {},
      "at least 1 rows, as total_sequence_length says",
      "0",
      { sharedBuffer: true },
    ],
    [
      "past_key",
      { past_key: f32(2, 2, 2, 4), past_value: f32(2, 2, 2, 4) },
      compact,
      "at least local_window_size 3 rows, for sliding_window_cache",
      "2",
    ],
    [
      "key",
      { key: f32(2, 0, 8), value: f32(2, 0, 8) },
      compact,
      "new keys where sliding_window_cache is 1",
      "none",
    ],
    ["seqlens_k", { seqlens_k: [3] }, {}, "2 integers of shape [batch] = [2]", "1 of them"],
    ["seqlens_k", { seqlens_k: [4, 1] }, {}, more, "4"],
    ["seqlens_k", { seqlens_k: [3, -1] }, {}, more, "-1"],
    ["seqlens_k", { seqlens_k: [3, 0.5] }, {}, "32-bit integers", "0.5"],
    ["seqlens_k", { seqlens_k: [3, 2 ** 31] }, {}, "32-bit integers", "2147483648"],
    ["seqlens_k", { seqlens_k: zeros("float32", [2]) }, {}, "dtype int32", "float32"],
    [
      "seqlens_k",
      {
        query: f32(1, 2, 16),
        key: f32(1, 2, 8),
        value: f32(1, 2, 8),
        past_key: f32(1, 2, 6, 4),
        past_value: f32(1, 2, 6, 4),
        seqlens_k: [0],
      },
      {},
      "from 1 to total_sequence_length − 1 = 3",
      "0",
    ],
    [
      "total_sequence_length",
      { total_sequence_length: 0 },
      {},
      "at least the query's 1 tokens, and 1",
      "0",
    ],
    [
      "total_sequence_length",
      { query: f32(2, 0, 16), key: f32(2, 0, 8), value: f32(2, 0, 8), total_sequence_length: 0 },
      {},
      "at least the query's 0 tokens, and 1",
      "0",
    ],
    [
      "total_sequence_length",
      { total_sequence_length: [4, 4] },
      {},
      "1 integers of shape [1]",
      "2 of them",
    ],
    [
      "query",
      { query: f32(2, 2, 16), key: f32(2, 2, 8), value: f32(2, 2, 8) },
      {},
      "one batch entry where several new tokens follow a past",
      "2 of them",
    ],
    ["cos_cache", {}, turned, table, "undefined"],
    ["sin_cache", { cos_cache: tables.cos_cache }, turned, table, "undefined"],
    ["cos_cache", { cos_cache: f32(8, 3), sin_cache: f32(8, 3) }, turned, table, "[8, 3]"],
    ["cos_cache", { cos_cache: f32(8, 0), sin_cache: f32(8, 0) }, turned, table, "[8, 0]"],
    ["sin_cache", { ...tables, sin_cache: f32(8) }, turned, table, "[8]"],
    ["sin_cache", { ...tables, sin_cache: f32(8, 2, 1) }, turned, table, "[8, 2, 1]"],
    [
      "position_ids",
      { ...tables, position_ids: [1] },
      turned,
      "2 integers of shape [batch, sequence_length] = [2, 1]",
      "1 of them",
    ],
    [
      "attention_bias",
      { attention_bias: f32(2, 4, 1, 6) },
      {},
      bias,
      "float32 of shape [2, 4, 1, 6]",
    ],
    [
      "attention_bias",
      { attention_bias: f32(2, 4, 2, 4) },
      {},
      bias,
      "float32 of shape [2, 4, 2, 4]",
    ],
    [
      "attention_bias",
      { attention_bias: f32(3, 4, 1, 4) },
      {},
      bias,
      "float32 of shape [3, 4, 1, 4]",
    ],
    [
      "attention_bias",
      { attention_bias: f32(2, 2, 1, 4) },
      {},
      bias,
      "float32 of shape [2, 2, 1, 4]",
    ],
    [
      "attention_bias",
      { attention_bias: f32(2, 4, 1, 4, 1) },
      {},
      bias,
      "float32 of shape [2, 4, 1, 4, 1]",
    ],
    [
      "attention_bias",
      { attention_bias: f64(2, 4, 1, 4) },
      {},
      bias,
      "float64 of shape [2, 4, 1, 4]",
    ],
    ["head_sink", { head_sink: f32(3) }, {}, "float32 of shape [4]", "float32 of shape [3]"],
    ["head_sink", { head_sink: f32(4, 1) }, {}, "float32 of shape [4]", "float32 of shape [4, 1]"],
    ["head_sink", { head_sink: f64(4) }, {}, "float32 of shape [4]", "float64 of shape [4]"],
    [
      "head_sink",
      { head_sink: f32(4) },
      { smooth_softmax: 1 },
      "nothing beside smooth_softmax",
      "a tensor",
    ],
    [
      "k_norm_weight",
      { q_norm_weight: f32(4) },
      {},
      "both weights, or neither",
      "only one of them",
    ],
    [
      "q_norm_weight",
      { k_norm_weight: f32(4) },
      {},
      "both weights, or neither",
      "only one of them",
    ],
    [
      "q_norm_weight",
      { q_norm_weight: f32(3), k_norm_weight: f32(4) },
      {},
      "float32 of shape [4]",
      "float32 of shape [3]",
    ],
    [
      "k_norm_weight",
      { q_norm_weight: f32(4), k_norm_weight: f32(4, 1) },
      {},
      "float32 of shape [4]",
      "float32 of shape [4, 1]",
    ],
    [
      "k_norm_weight",
      { q_norm_weight: f32(4), k_norm_weight: f64(4) },
      {},
      "float32 of shape [4]",
      "float64 of shape [4]",
    ],
    ["sharedBuffer", {}, {}, "a boolean", "string", { sharedBuffer: "yes" }],
    ["outputs", {}, {}, "output, present_key, present_value, output_qk", '"Y"', { outputs: ["Y"] }],
    ["outputs", {}, {}, "an array of names", '"output"', { outputs: "output" }],
  ])("%s: %j, %j", async (argument, changes, attributes, expected, actual, options = undefined) => {
    const given = { ...heads, ...attributes } as never;
    const run = onnxGroupQueryAttention(attention, step(changes), given, options as never);
    const error = await run.catch((e) => e);
    expect(error).toBeInstanceOf(InvalidInputError);
    expect([error.argument, error.expected, error.actual]).toEqual([argument, expected, actual]);
  });
});
