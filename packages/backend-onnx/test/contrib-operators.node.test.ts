/**
 * The adapters of core for operators of the domain com.microsoft compute what onnxruntime's own kernels on the
 * CPU compute, padding included.
 */
import {
  type Attention,
  createAttention,
  type HostTensor,
  reference,
  tensor,
  toFloat64,
} from "@heed/core";
import {
  type OnnxGroupQueryAttentionAttributes,
  type OnnxGroupQueryAttentionInputs,
  type OnnxMultiHeadAttentionAttributes,
  type OnnxMultiHeadAttentionInputs,
  onnxGroupQueryAttention,
  onnxMultiHeadAttention,
} from "@heed/core/onnx";
import { beforeAll, expect, test } from "vitest";
import { GraphBuilder } from "../src/model/builder.js";
import type { ModelAttribute } from "../src/model/model.js";
import { importRuntime } from "../src/runtime/import.js";
import type { Runtime } from "../src/runtime/runtime.js";
import { createSession } from "./create-session.js";

let runtime: Runtime;
let attention: Attention;
beforeAll(async () => {
  runtime = await importRuntime("cpu");
  attention = await createAttention({ backends: [reference()] });
});

let seed = 0;
const floats = (...shape: number[]): HostTensor => {
  seed += 1.37;
  const count = shape.reduce((product, size) => product * size, 1);
  const wave = (_: unknown, i: number) => Math.sin(seed + 7.31 * i) + Math.cos(2.7 * i * seed);
  return tensor(Float32Array.from({ length: count }, wave), shape);
};
const integers = (values: readonly number[], ...shape: number[]): HostTensor<"int32"> =>
  tensor(Int32Array.from(values), shape);

type Inputs = Readonly<Record<string, HostTensor | undefined>>;

/** Runs one node on onnxruntime's CPU provider. */
async function run(
  operator: string,
  names: readonly string[],
  outputs: readonly string[],
  inputs: Inputs,
  attributes: Readonly<Record<string, ModelAttribute>>,
): Promise<Record<string, HostTensor>> {
  const g = new GraphBuilder(18);
  const given = names.filter((name) => inputs[name] !== undefined);
  const last = Math.max(...given.map((name) => names.indexOf(name)));
  const values = names.slice(0, last + 1).map((name) => {
    const t = inputs[name];
    if (t === undefined) return "";
    const dtype = t.dtype === "int32" ? (name === "position_ids" ? "int64" : "int32") : "float32";
    return g.input(name, dtype, [...t.shape]);
  });
  const results = g.node(operator, values, outputs, attributes, "com.microsoft");
  for (const [i, name] of outputs.entries()) {
    if (name !== "")
      g.output(
        name,
        results[i] as string,
        "float32",
        ["a", "b", "c", "d"].slice(0, name === "output" ? 3 : 4),
      );
  }
  const session = await createSession(runtime, "cpu", g);
  const feeds = Object.fromEntries(
    given.map((name) => {
      const t = inputs[name] as HostTensor;
      if (t.dtype !== "int32")
        return [name, new runtime.Tensor("float32", t.data as Float32Array, t.shape)];
      if (name !== "position_ids")
        return [name, new runtime.Tensor("int32", t.data as Int32Array, t.shape)];
      const wide = BigInt64Array.from(t.data as Int32Array, BigInt);
      return [name, new runtime.Tensor("int64", wide as never, t.shape)];
    }),
  );
  const got = await session.run(feeds);
  await session.release();
  return Object.fromEntries(
    Object.entries(got).map(([name, t]) => [
      name,
      tensor(Float32Array.from(t.data as Float32Array), [...t.dims]),
    ]),
  );
}

/** Largest difference where `compares` says that an element is specified. */
function expectClose(
  got: HostTensor | undefined,
  wanted: HostTensor | undefined,
  compares: (at: readonly number[]) => boolean = () => true,
): void {
  expect(got?.shape).toEqual(wanted?.shape);
  const [a, b] = [toFloat64(got as HostTensor), toFloat64(wanted as HostTensor)];
  const shape = (got as HostTensor).shape;
  for (let i = 0; i < a.length; i++) {
    let rest = i;
    const at = shape.map(() => 0);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at[axis] = rest % (shape[axis] as number);
      rest = Math.floor(rest / (shape[axis] as number));
    }
    if (compares(at) && !(Math.abs((a[i] as number) - (b[i] as number)) < 5e-6)) {
      throw new Error(`[${at}]: ${a[i]} instead of ${b[i]}`);
    }
  }
}

interface GroupQueryCase {
  readonly attributes?: Partial<OnnxGroupQueryAttentionAttributes>;
  readonly batch?: number;
  readonly length: number;
  readonly total: number;
  readonly pastRows?: number;
  /** Tokens of each entry. */
  readonly lengths?: readonly number[];
  readonly packed?: boolean;
  readonly more?: (total: number) => Partial<OnnxGroupQueryAttentionInputs>;
}

const rotaryTables = () => ({ cos_cache: floats(64, 8), sin_cache: floats(64, 8) });

const groupQueryCases: Readonly<Record<string, GroupQueryCase>> = {
  "a prompt": { length: 5, total: 5 },
  "a prompt, with a buffer to fill": { length: 5, total: 5, pastRows: 9 },
  "a padded prompt": { batch: 3, length: 6, total: 6, lengths: [6, 2, 4] },
  "a padded prompt in a window": {
    batch: 3,
    length: 6,
    total: 6,
    lengths: [6, 2, 4],
    attributes: { local_window_size: 2 },
  },
  "a padded prompt that is turned": {
    batch: 2,
    length: 6,
    total: 6,
    lengths: [6, 3],
    attributes: { do_rotary: 1 },
    more: rotaryTables,
  },
  "a step": { length: 1, total: 8, pastRows: 7 },
  "a step of entries of mixed lengths": {
    batch: 3,
    length: 1,
    total: 10,
    pastRows: 9,
    lengths: [10, 5, 1],
  },
  "a step into a longer buffer": { batch: 2, length: 1, total: 6, pastRows: 12, lengths: [6, 3] },
  "several tokens after a past": { length: 4, total: 9, pastRows: 5 },
  "several tokens after a past, in a window": {
    length: 4,
    total: 9,
    pastRows: 5,
    attributes: { local_window_size: 3 },
  },
  "several turned tokens after a past": {
    length: 4,
    total: 9,
    pastRows: 5,
    attributes: { do_rotary: 1, rotary_interleaved: 1 },
    more: rotaryTables,
  },
  "positions of its own": {
    batch: 2,
    length: 3,
    total: 3,
    attributes: { do_rotary: 1 },
    more: () => ({ ...rotaryTables(), position_ids: integers([5, 6, 7, 0, 9, 3], 2, 3) }),
  },
  "packed and turned": {
    length: 3,
    total: 7,
    pastRows: 4,
    packed: true,
    attributes: { do_rotary: 1 },
    more: rotaryTables,
  },
  "softcap, a window, a bias and sinks": {
    batch: 1,
    length: 4,
    total: 7,
    pastRows: 3,
    attributes: { softcap: 1.5, local_window_size: 3, scale: 0.7 },
    more: (total) => ({ attention_bias: floats(1, 1, 4, total), head_sink: floats(4) }),
  },
  "a bias of each entry and head": {
    batch: 2,
    length: 1,
    total: 6,
    pastRows: 5,
    lengths: [6, 4],
    more: (total) => ({ attention_bias: floats(2, 4, 1, total) }),
  },
  "a smooth softmax": { length: 5, total: 5, attributes: { smooth_softmax: 1 } },
};

const groupQueryNames = [
  ..."query key value past_key past_value seqlens_k total_sequence_length".split(" "),
  ..."cos_cache sin_cache position_ids attention_bias head_sink".split(" "),
];

function groupQueryInputs(c: GroupQueryCase): OnnxGroupQueryAttentionInputs {
  const { batch = 1, length, total, pastRows = 0, packed } = c;
  const lengths = c.lengths ?? new Array<number>(batch).fill(total);
  return {
    ...(packed
      ? { query: floats(batch, length, 8 * 16) }
      : {
          query: floats(batch, length, 4 * 16),
          key: floats(batch, length, 2 * 16),
          value: floats(batch, length, 2 * 16),
        }),
    past_key: floats(batch, 2, pastRows, 16),
    past_value: floats(batch, 2, pastRows, 16),
    seqlens_k: integers(
      lengths.map((tokens) => tokens - 1),
      batch,
    ),
    total_sequence_length: integers([total], 1),
    ...c.more?.(total),
  };
}

test.each(Object.entries(groupQueryCases))("GroupQueryAttention: %s", async (_, c) => {
  const inputs = groupQueryInputs(c);
  const attributes = { num_heads: 4, kv_num_heads: 2, ...c.attributes };
  const { softcap, scale, ...others } = attributes;
  const wanted = await run(
    "GroupQueryAttention",
    groupQueryNames,
    ["output", "present_key", "present_value"],
    inputs as unknown as Inputs,
    {
      ...(others as object as Record<string, number>),
      ...(softcap !== undefined && { softcap: { float: softcap } }),
      ...(scale !== undefined && { scale: { float: scale } }),
    },
  );
  const got = await onnxGroupQueryAttention(attention, inputs, attributes);
  expectClose(got.output, wanted.output);
  const lengths = c.lengths ?? new Array<number>(c.batch ?? 1).fill(c.total);
  const specified = ([b, , row]: readonly number[]) =>
    (row as number) < (lengths[b as number] as number);
  expectClose(got.present_key, wanted.present_key, specified);
  expectClose(got.present_value, wanted.present_value, specified);
});

test.each([1, 2])("GroupQueryAttention: output_qk of mode %i", async (qk_output) => {
  const c = {
    length: 3,
    total: 7,
    pastRows: 4,
    more: (n: number) => ({ attention_bias: floats(1, 4, 3, n) }),
  };
  const inputs = groupQueryInputs(c);
  const attributes = { num_heads: 4, kv_num_heads: 2, qk_output, local_window_size: 4 };
  const outputs = ["output", "present_key", "present_value", "output_qk"];
  const wanted = await run(
    "GroupQueryAttention",
    groupQueryNames,
    outputs,
    inputs as unknown as Inputs,
    attributes,
  );
  const got = await onnxGroupQueryAttention(attention, inputs, attributes);
  expectClose(got.output, wanted.output);
  expectClose(got.output_qk, wanted.output_qk);
});

test.each([
  ["its capacity", 4, 4, 6, 1],
  ["some slack", 4, 7, 9, 1],
  ["a chunk", 3, 5, 8, 4],
  ["a chunk beyond the capacity", 3, 4, 12, 7],
  ["a prompt", 3, 4, 9, 9],
])("GroupQueryAttention: a compacted cache, %s", async (_, window, capacity, total, length) => {
  const c = { length, total, pastRows: capacity };
  const inputs = { ...groupQueryInputs(c), attention_bias: floats(1, 1, length, total) };
  const attributes = {
    num_heads: 4,
    kv_num_heads: 2,
    local_window_size: window,
    sliding_window_cache: 1,
  };
  const outputs = ["output", "present_key", "present_value"];
  const given = inputs as unknown as Inputs;
  const wanted = await run("GroupQueryAttention", groupQueryNames, outputs, given, attributes);
  const got = await onnxGroupQueryAttention(attention, inputs, attributes);
  expectClose(got.output, wanted.output);
  const step = capacity - window + 1;
  const kept = total <= capacity ? total : total - step * Math.ceil((total - capacity) / step);
  const specified = ([, , row]: readonly number[]) => (row as number) < kept;
  expectClose(got.present_key, wanted.present_key, specified);
  expectClose(got.present_value, wanted.present_value, specified);
});

interface MultiHeadCase {
  readonly inputs: () => OnnxMultiHeadAttentionInputs;
  readonly attributes?: Partial<OnnxMultiHeadAttentionAttributes>;
}

const qkv = (
  batch: number,
  length: number,
  keys = length,
  width = 24,
): OnnxMultiHeadAttentionInputs => ({
  query: floats(batch, length, 16),
  key: floats(batch, keys, 16),
  value: floats(batch, keys, width),
});
const pastOf = (batch: number, rows: number) => ({
  past_key: floats(batch, 2, rows, 8),
  past_value: floats(batch, 2, rows, 8),
});

const multiHeadCases: Readonly<Record<string, MultiHeadCase>> = {
  plain: { inputs: () => qkv(2, 5) },
  "other keys than queries": { inputs: () => qkv(2, 3, 7) },
  "a bias of the projection": { inputs: () => ({ ...qkv(2, 3), bias: floats(56) }) },
  "lengths of the keys": {
    inputs: () => ({ ...qkv(3, 4), key_padding_mask: integers([4, 1, 3], 3) }),
  },
  "a padding mask": {
    inputs: () => ({ ...qkv(2, 3), key_padding_mask: integers([1, 0, 1, 0, 1, 1], 2, 3) }),
  },
  "a padding mask that hides every key": {
    inputs: () => ({ ...qkv(2, 3), key_padding_mask: integers([0, 0, 0, 0, 1, 1], 2, 3) }),
  },
  "a mask of each query": {
    inputs: () => ({
      ...qkv(1, 3),
      key_padding_mask: integers([1, 0, 1, 0, 1, 1, 0, 0, 0], 1, 3, 3),
    }),
  },
  "a filter that only weakens": {
    inputs: () => ({
      ...qkv(2, 3),
      key_padding_mask: integers([1, 0, 1, 0, 1, 1], 2, 3),
      attention_bias: floats(1, 2, 3, 3),
    }),
    attributes: { mask_filter_value: -1.5 },
  },
  "a past": { inputs: () => ({ ...qkv(2, 3, 3, 16), ...pastOf(2, 4) }) },
  "a past and a causal mask": {
    inputs: () => ({ ...qkv(2, 3, 3, 16), ...pastOf(2, 4) }),
    attributes: { unidirectional: 1 },
  },
  "a past, a causal mask and a padding mask": {
    inputs: () => ({
      ...qkv(1, 3, 3, 16),
      ...pastOf(1, 2),
      key_padding_mask: integers([0, 1, 1, 0, 1], 1, 5),
    }),
    attributes: { unidirectional: 1 },
  },
  "keys that were projected before": {
    inputs: () => ({
      query: floats(2, 3, 16),
      key: floats(2, 2, 6, 8),
      value: floats(2, 2, 6, 8),
    }),
  },
  "a bias of the logits and a scale": {
    inputs: () => ({ ...qkv(2, 3), attention_bias: floats(2, 2, 3, 3) }),
    attributes: { scale: 0.3 },
  },
};

test.each(Object.entries(multiHeadCases))("MultiHeadAttention: %s", async (name, c) => {
  const inputs = c.inputs();
  const attributes = { num_heads: 2, ...c.attributes };
  const { scale, mask_filter_value, ...others } = attributes;
  const past = inputs.past_key !== undefined;
  const wanted = await run(
    "MultiHeadAttention",
    "query key value bias key_padding_mask attention_bias past_key past_value".split(" "),
    past ? ["output", "present_key", "present_value"] : ["output"],
    inputs as unknown as Inputs,
    {
      ...(others as object as Record<string, number>),
      ...(scale !== undefined && { scale: { float: scale } }),
      ...(mask_filter_value !== undefined && { mask_filter_value: { float: mask_filter_value } }),
    },
  );
  const got = await onnxMultiHeadAttention(attention, inputs, attributes);
  // If everything is hidden, onnxruntime loses digits to the filter value that it adds.
  expectClose(got.output, wanted.output, () => !/every key|each query/.test(name));
  if (past) {
    expectClose(got.present_key, wanted.present_key);
    expectClose(got.present_value, wanted.present_value);
  }
});

test.each([0, 1])("MultiHeadAttention: qk, unidirectional %i", async (unidirectional) => {
  const inputs = {
    ...qkv(1, 3),
    attention_bias: floats(1, 2, 3, 3),
    key_padding_mask: integers([1, 0, 1], 1, 3),
  };
  const wanted = await run(
    "MultiHeadAttention",
    "query key value bias key_padding_mask attention_bias past_key past_value".split(" "),
    ["output", "", "", "qk"],
    inputs as unknown as Inputs,
    { num_heads: 2, unidirectional },
  );
  const got = await onnxMultiHeadAttention(
    attention,
    inputs,
    { num_heads: 2, unidirectional },
    { outputs: ["output", "qk"] },
  );
  // Next to -10,000, float32 keeps three digits after the point.
  const near = (t: HostTensor | undefined) =>
    tensor(
      toFloat64(t as HostTensor).map((x) => (x < -9000 ? Math.round(x / 10) : x)),
      [18],
    );
  expectClose(near(got.qk), near(wanted.qk));
});
