/** Calls that com.microsoft.MultiHeadAttention refuses, with the whole of their errors. */
import { type Attention, createAttention, InvalidInputError, reference, zeros } from "@heed/core";
import { onnxMultiHeadAttention } from "@heed/core/onnx";
import { beforeAll, describe, expect, test } from "vitest";
import { batch, columns, heads, length, past, qkv, size, two } from "./multi-head-call.js";
import { int32 } from "./naive-attention.js";

let attention: Attention;
beforeAll(async () => {
  attention = await createAttention({ backends: [reference()], selfTest: false });
});

describe("refusals", () => {
  const f32 = (...shape: number[]) => zeros("float32", shape);
  const i32 = (...shape: number[]) => zeros("int32", shape);
  const packedKey = f32(batch, length, heads, 2, size);
  const four = { key: f32(batch, heads, 3, size), value: f32(batch, heads, 3, columns) };
  const none = { key: undefined, value: undefined };
  const buffer = {
    past_key: f32(2, 2, 5, 4),
    past_value: f32(2, 2, 5, 6),
    past_sequence_length: 2,
  };
  const shapes = "shape [2], [8], [2, 3] or [2, 3, 3]";
  test.each<[string, object, string, string]>([
    [
      "query",
      { ...none, query: f32(2, 3, 8) },
      "shape [2, length, 2, 3, head_size]",
      "shape [2, 3, 8]",
    ],
    [
      "query",
      { ...none, query: f32(2, 3, 3, 3, 4) },
      "shape [2, length, 2, 3, head_size]",
      "shape [2, 3, 3, 3, 4]",
    ],
    [
      "query",
      { ...none, query: f32(2, 3, 2, 2, 4) },
      "shape [2, length, 2, 3, head_size]",
      "shape [2, 3, 2, 2, 4]",
    ],
    ["query", { ...none, query: i32(2, 3, 2, 3, 4) }, "dtype float64, float32 or float16", "int32"],
    ["query", { query: f32(2, 2, 3, 4) }, "3 axes, since key is given", "shape [2, 2, 3, 4]"],
    ["query", { query: f32(2, 3, 9) }, "a last axis that num_heads 2 divides", "shape [2, 3, 9]"],
    ["value", { key: undefined }, "nothing without key: the query is packed", "a tensor"],
    ["value", { value: undefined }, "a tensor, since key is not packed", "undefined"],
    ["value", { key: packedKey }, "nothing, since key is packed", "a tensor"],
    [
      "bias",
      { key: packedKey, value: undefined, bias: f32(1) },
      "nothing, since key is packed",
      "a tensor",
    ],
    [
      "key",
      { key: f32(3, 3, 2, 2, 4), value: undefined },
      "shape [2, length, 2, 2, head_size]",
      "shape [3, 3, 2, 2, 4]",
    ],
    [
      "key",
      { key: f32(2, 3, 2, 3, 4), value: undefined },
      "shape [2, length, 2, 2, head_size]",
      "shape [2, 3, 2, 3, 4]",
    ],
    [
      "key",
      { key: f32(2, 3, 2, 2, 5), value: undefined },
      "batch 2 and head size 4, as the query",
      "shape [2, 2, 3, 5]",
    ],
    ["key", { key: zeros("float64", [2, 3, 8]) }, "the query's dtype float32", "float64"],
    ["value", { value: zeros("float64", [2, 3, 12]) }, "the query's dtype float32", "float64"],
    ["value", { value: f32(2, 2, 3, 6) }, "3 axes, as key", "shape [2, 2, 3, 6]"],
    [
      "key",
      { key: f32(2, 3), value: f32(2, 3) },
      "3, 4 or 5 axes, as the operator has them",
      "shape [2, 3]",
    ],
    ["key", { key: f32(2, 3, 6) }, "batch 2 and head size 4, as the query", "shape [2, 2, 3, 3]"],
    ["key", { key: f32(1, 3, 8) }, "batch 2 and head size 4, as the query", "shape [1, 2, 3, 4]"],
    [
      "key",
      { key: f32(2, 3, 3, 4), value: f32(2, 3, 3, 4) },
      "2 heads on axis 1",
      "shape [2, 3, 3, 4]",
    ],
    ["value", { value: f32(2, 4, 12) }, "batch 2, 2 heads and 3 rows, as key", "shape [2, 4, 12]"],
    ["value", { value: f32(1, 3, 12) }, "batch 2, 2 heads and 3 rows, as key", "shape [1, 3, 12]"],
    [
      "value",
      { ...four, value: f32(2, 3, 3, 6) },
      "batch 2, 2 heads and 3 rows, as key",
      "shape [2, 3, 3, 6]",
    ],
    ["bias", { ...four, bias: f32(28) }, "nothing, since key has 4 axes", "a tensor"],
    ["past_key", { ...four, ...past }, "nothing, since key has 4 axes", "a tensor"],
    [
      "past_value",
      { ...four, past_value: past.past_value },
      "nothing, since key has 4 axes",
      "a tensor",
    ],
    ["bias", { bias: f32(27) }, "shape [8 + 8 + 12] = [28]", "shape [27]"],
    ["bias", { bias: f32(28, 1) }, "shape [8 + 8 + 12] = [28]", "shape [28, 1]"],
    ["bias", { bias: zeros("float64", [28]) }, "the query's dtype float32", "float64"],
    ["key_padding_mask", { key_padding_mask: f32(2) }, "dtype int32", "float32"],
    ["key_padding_mask", { key_padding_mask: i32(3) }, "shape [2] or [8]", "[3]"],
    ["key_padding_mask", { key_padding_mask: i32(2, 4) }, shapes, "[2, 4]"],
    ["key_padding_mask", { key_padding_mask: i32(3, 3) }, shapes, "[3, 3]"],
    ["key_padding_mask", { key_padding_mask: i32(2, 3, 4) }, shapes, "[2, 3, 4]"],
    ["key_padding_mask", { key_padding_mask: i32(2, 2, 3) }, shapes, "[2, 2, 3]"],
    ["key_padding_mask", { key_padding_mask: i32(1, 3, 3) }, shapes, "[1, 3, 3]"],
    ["key_padding_mask", { key_padding_mask: i32(2, 1, 3, 3) }, shapes, "[2, 1, 3, 3]"],
    [
      "key_padding_mask",
      { ...past, key_padding_mask: i32(2, 3) },
      "shape [2], [8], [2, 5] or [2, 3, 5], over the past's keys too",
      "[2, 3]",
    ],
    ["key_padding_mask", { key_padding_mask: int32([4, 1], 2) }, "lengths from 0 to 3", "4"],
    ["key_padding_mask", { key_padding_mask: int32([1, -1], 2) }, "lengths from 0 to 3", "-1"],
    [
      "key_padding_mask",
      { key_padding_mask: int32([3, 1, 0, 3, 5, 0, 3, 6], 8) },
      "starts of a padded batch: 6 and 6 of entry 2",
      "5 and 6",
    ],
    [
      "key_padding_mask",
      { key_padding_mask: int32([3, 1, 0, 3, 6, 0, 2, 6], 8) },
      "starts of a padded batch: 3 and 3 of entry 1",
      "3 and 2",
    ],
    [
      "attention_bias",
      { attention_bias: f32(3, 2, 3, 3) },
      "float32 of shape [2 or 1, 2 or 1, 3, 3]",
      "float32 of shape [3, 2, 3, 3]",
    ],
    [
      "attention_bias",
      { attention_bias: f32(2, 3, 3, 3) },
      "float32 of shape [2 or 1, 2 or 1, 3, 3]",
      "float32 of shape [2, 3, 3, 3]",
    ],
    [
      "attention_bias",
      { attention_bias: f32(2, 2, 1, 3) },
      "float32 of shape [2 or 1, 2 or 1, 3, 3]",
      "float32 of shape [2, 2, 1, 3]",
    ],
    [
      "attention_bias",
      { attention_bias: f32(2, 2, 3, 1) },
      "float32 of shape [2 or 1, 2 or 1, 3, 3]",
      "float32 of shape [2, 2, 3, 1]",
    ],
    [
      "attention_bias",
      { attention_bias: f32(2, 2, 3, 3, 1) },
      "float32 of shape [2 or 1, 2 or 1, 3, 3]",
      "float32 of shape [2, 2, 3, 3, 1]",
    ],
    [
      "attention_bias",
      { attention_bias: zeros("float64", [1, 1, 3, 3]) },
      "float32 of shape [2 or 1, 2 or 1, 3, 3]",
      "float64 of shape [1, 1, 3, 3]",
    ],
    ["past_value", { past_key: past.past_key }, "both, or neither", "only one of them"],
    ["past_key", { past_value: past.past_value }, "both, or neither", "only one of them"],
    ["past_key", { past_sequence_length: 1 }, "a buffer, with past_sequence_length", "undefined"],
    ["past_value", { ...past, past_value: f32(2, 2, 1, 6) }, "2 rows, as past_key", "1"],
    [
      "past_key",
      { ...past, past_key: f32(2, 2, 1, 4, 1) },
      "float32 of shape [2, 2, past_length, 4], to go before key",
      "float32 of shape [2, 2, 1, 4, 1]",
    ],
    [
      "past_key",
      { ...past, past_key: f32(2, 2, 1, 3) },
      "float32 of shape [2, 2, past_length, 4], to go before key",
      "float32 of shape [2, 2, 1, 3]",
    ],
    [
      "past_key",
      { ...past, past_key: f32(1, 2, 2, 4) },
      "float32 of shape [2, 2, past_length, 4], to go before key",
      "float32 of shape [1, 2, 2, 4]",
    ],
    [
      "past_key",
      { ...past, past_key: f32(2, 2, 4) },
      "float32 of shape [2, 2, past_length, 4], to go before key",
      "float32 of shape [2, 2, 4]",
    ],
    [
      "past_value",
      { ...past, past_value: f32(2, 1, 2, 6) },
      "float32 of shape [2, 2, past_length, 6], to go before value",
      "float32 of shape [2, 1, 2, 6]",
    ],
    [
      "past_value",
      { ...past, past_value: zeros("float64", [2, 2, 2, 6]) },
      "float32 of shape [2, 2, past_length, 6], to go before value",
      "float64 of shape [2, 2, 2, 6]",
    ],
    ["past_sequence_length", { ...buffer, past_sequence_length: -1 }, "an integer ≥ 0", "-1"],
    [
      "past_sequence_length",
      { ...buffer, past_sequence_length: [1, 2] },
      "1 integers of shape [1]",
      "2 of them",
    ],
    [
      "past_key",
      { ...buffer, past_sequence_length: 3 },
      "float32 of shape [2, 2, at least 6, 4]",
      "float32 of shape [2, 2, 5, 4]",
    ],
    [
      "past_key",
      { ...buffer, past_key: f32(2, 2, 5, 3) },
      "float32 of shape [2, 2, at least 5, 4]",
      "float32 of shape [2, 2, 5, 3]",
    ],
    [
      "past_key",
      { ...buffer, past_key: f32(1, 2, 5, 4) },
      "float32 of shape [2, 2, at least 5, 4]",
      "float32 of shape [1, 2, 5, 4]",
    ],
    [
      "past_key",
      { ...buffer, past_key: f32(2, 3, 5, 4) },
      "float32 of shape [2, 2, at least 5, 4]",
      "float32 of shape [2, 3, 5, 4]",
    ],
    [
      "past_value",
      { ...buffer, past_value: f32(2, 2, 4, 6) },
      "float32 of shape [2, 2, at least 5, 6]",
      "float32 of shape [2, 2, 4, 6]",
    ],
    [
      "past_value",
      { ...buffer, past_value: zeros("float64", [2, 2, 5, 6]) },
      "float32 of shape [2, 2, at least 5, 6]",
      "float64 of shape [2, 2, 5, 6]",
    ],
    [
      "cache_indirection",
      { cache_indirection: i32(2, 1, 3) },
      "nothing: it is not supported",
      "a value",
    ],
  ])("%s: %j", async (argument, changes, expected, actual) => {
    const run = onnxMultiHeadAttention(attention, { ...qkv, ...changes } as never, two);
    const error = await run.catch((e) => e);
    expect(error).toBeInstanceOf(InvalidInputError);
    expect([error.argument, error.expected, error.actual]).toEqual([argument, expected, actual]);
  });

  test.each<[string, object, string, string]>([
    ["num_heads", { num_heads: undefined }, "an integer ≥ 1", "undefined"],
    ["num_heads", { num_heads: 0 }, "an integer ≥ 1", "0"],
    ["num_heads", { num_heads: 1.5 }, "an integer ≥ 1", "1.5"],
    ["scale", { scale: Number.NaN }, "a finite number", "NaN"],
    ["scale", { scale: "1" }, "a finite number", '"1"'],
    ["mask_filter_value", { mask_filter_value: -Infinity }, "a finite number", "-Infinity"],
    ["unidirectional", { unidirectional: -1 }, "0 or 1", "-1"],
    ["unidirectional", { unidirectional: true }, "0 or 1", "true"],
  ])("%s: %j", async (argument, attributes, expected, actual) => {
    const given = { ...two, ...attributes } as never;
    const error = await onnxMultiHeadAttention(attention, qkv, given).catch((e) => e);
    expect([error.argument, error.expected, error.actual]).toEqual([argument, expected, actual]);
  });
});
