import { InvalidInputError } from "../../../errors.js";
import { readTensor } from "../../../tensor/host-tensor.js";
import type { Tensor } from "../../../tensor/tensor.js";
import { slice, splitHeads } from "../../../tensor/views.js";
import { checkFloat } from "../../validation/sizes.js";
import { readIntegers } from "../call.js";
import type { CallMemory } from "../call-memory.js";
import { readPastTensors } from "../resident.js";
import type { ReadGroupQueryAttributes } from "./attributes.js";
import type { OnnxGroupQueryAttentionInputs } from "./inputs.js";

/** A call of the operator, checked, with heads split. */
export interface GroupQueryCall {
  /** `[batch, num_heads, length, head_size]`: a view. */
  readonly query: Tensor;
  /** `[batch, kv_num_heads, new rows, head_size]`: views. */
  readonly key: Tensor;
  readonly value: Tensor;
  readonly past: { readonly key: Tensor; readonly value: Tensor } | undefined;
  readonly batch: number;
  readonly length: number;
  readonly headSize: number;
  /** Tokens of the longest entry. */
  readonly total: number;
  /** Tokens of each entry, those of this call included. */
  readonly lengths: Int32Array;
  /** Tokens of each entry before this call. */
  readonly before: Int32Array;
  /** Whether the call is the first of its sequences: shorter entries are padded at their end. */
  readonly first: boolean;
}

/**
 * @param shared whether the past is written in place
 * @throws InvalidInputError naming the operator's own input
 */
export function readGroupQueryCall(
  inputs: OnnxGroupQueryAttentionInputs<Tensor>,
  { queryHeads, kvHeads }: ReadGroupQueryAttributes,
  shared: boolean,
  memory: CallMemory,
): GroupQueryCall {
  for (const name of ["k_scale", "v_scale"] as const) {
    if (inputs[name] === undefined) continue;
    throw new InvalidInputError(name, "nothing: quantised caches are not supported", "a value");
  }
  const { query, key, value } = readHeads(inputs, queryHeads, kvHeads, memory);
  const [batch, , length, headSize] = query.shape as [number, number, number, number];
  const past = readPast(inputs, { query, key }, shared);
  const total = readIntegers("total_sequence_length", inputs.total_sequence_length, 1, "[1]")[0];
  if (total === undefined || total < Math.max(1, length)) {
    const expected = `at least the query's ${length} tokens, and 1`;
    throw new InvalidInputError("total_sequence_length", expected, `${total}`);
  }
  const lengths = readIntegers("seqlens_k", inputs.seqlens_k, batch, `[batch] = [${batch}]`).map(
    (last) => last + 1,
  );
  const first = length === total;
  const least = first ? 1 : length;
  for (const tokens of lengths) {
    if (tokens >= least && tokens <= total) continue;
    const expected = `from ${least - 1} to total_sequence_length − 1 = ${total - 1}`;
    throw new InvalidInputError("seqlens_k", expected, `${tokens - 1}`);
  }
  if (!first && length > 1 && batch !== 1) {
    throw new InvalidInputError(
      "query",
      "one batch entry where several new tokens follow a past",
      `${batch} of them`,
    );
  }
  if (!first && past === undefined) {
    const expected = `a past of ${total - length} tokens, as total_sequence_length says`;
    throw new InvalidInputError("past_key", expected, "undefined");
  }
  return {
    query,
    key,
    value,
    past,
    batch,
    length,
    headSize,
    total,
    lengths,
    before: lengths.map((tokens) => (first ? 0 : tokens - length)),
    first,
  };
}

function readHeads(
  inputs: OnnxGroupQueryAttentionInputs<Tensor>,
  queryHeads: number,
  kvHeads: number,
  memory: CallMemory,
): Pick<GroupQueryCall, "query" | "key" | "value"> {
  const query = readRank("query", inputs.query, 3);
  checkFloat("query", query);
  const heads = inputs.key === undefined ? queryHeads + 2 * kvHeads : queryHeads;
  const width = query.shape[2] as number;
  if (width === 0 || width % heads !== 0) {
    throw new InvalidInputError(
      "query",
      `a last axis that ${heads} heads divide${inputs.key === undefined ? ", as it is packed" : ""}`,
      `[${query.shape.join(", ")}]`,
    );
  }
  const size = width / heads;
  if ((inputs.key === undefined) !== (inputs.value === undefined)) {
    const missing = inputs.key === undefined ? "key" : "value";
    throw new InvalidInputError(missing, "key and value together, or neither", "only one of them");
  }
  const split = (t: Tensor, heads: number): Tensor => memory.keep(splitHeads(t, heads) as Tensor);
  if (inputs.key === undefined) {
    const columns = (from: number, count: number) =>
      split(memory.keep(slice(query, 2, from * size, (from + count) * size) as Tensor), count);
    return {
      query: columns(0, queryHeads),
      key: columns(queryHeads, kvHeads),
      value: columns(queryHeads + kvHeads, kvHeads),
    };
  }
  const key = readRank("key", inputs.key, 3);
  const value = readRank("value", inputs.value, 3);
  for (const [name, t] of [
    ["key", key],
    ["value", value],
  ] as const) {
    const [batch, tokens] = query.shape as [number, number];
    const rows = t.shape[1] as number;
    const fits =
      t.dtype === query.dtype &&
      t.shape[0] === batch &&
      (rows === tokens || rows === 0) &&
      rows === key.shape[1] &&
      t.shape[2] === kvHeads * size;
    if (fits) continue;
    throw new InvalidInputError(
      name,
      `${query.dtype} of shape [${batch}, ${tokens} or 0, ${kvHeads * size}], as key and value have it`,
      `${t.dtype} of shape [${t.shape.join(", ")}]`,
    );
  }
  return {
    query: split(query, queryHeads),
    key: split(key, kvHeads),
    value: split(value, kvHeads),
  };
}

function readPast(
  inputs: OnnxGroupQueryAttentionInputs<Tensor>,
  { query, key: fresh }: Pick<GroupQueryCall, "query" | "key">,
  shared: boolean,
): GroupQueryCall["past"] {
  if ((inputs.past_key === undefined) !== (inputs.past_value === undefined)) {
    const missing = inputs.past_key === undefined ? "past_key" : "past_value";
    throw new InvalidInputError(
      missing,
      "past_key and past_value together, or neither",
      "only one of them",
    );
  }
  if (inputs.past_key === undefined) return undefined;
  const past = readPastTensors({ query, key: inputs.past_key, value: inputs.past_value }, shared);
  const key = checkRank("past_key", past.key, 4);
  const value = checkRank("past_value", past.value, 4);
  const [batch, heads, , size] = fresh.shape;
  for (const [name, t] of [
    ["past_key", key],
    ["past_value", value],
  ] as const) {
    const fits =
      t.dtype === fresh.dtype &&
      t.shape[0] === batch &&
      t.shape[1] === heads &&
      t.shape[2] === key.shape[2] &&
      t.shape[3] === size;
    if (fits) continue;
    throw new InvalidInputError(
      name,
      `${fresh.dtype} of shape [${batch}, ${heads}, ${name === "past_key" ? "rows" : key.shape[2]}, ${size}]`,
      `${t.dtype} of shape [${t.shape.join(", ")}]`,
    );
  }
  return { key, value };
}

function readRank(argument: string, value: unknown, rank: number): Tensor {
  return checkRank(argument, readTensor(argument, value), rank);
}

function checkRank<T extends Tensor>(argument: string, t: T, rank: number): T {
  if (t.shape.length === rank) return t;
  throw new InvalidInputError(argument, `${rank} axes`, `[${t.shape.join(", ")}]`);
}
