/** ONNX's operators on tensors in a backend's memory: the same numbers, and nothing is left there. */
import {
  type Attention,
  createAttention,
  type DeviceTensor,
  type HostTensor,
  InvalidInputError,
  isDeviceTensor,
  reference,
  type Tensor,
  tensor,
  toFloat64,
  zeros,
} from "@heed/core";
import {
  onnxAttention,
  onnxFlexAttention,
  onnxGroupQueryAttention,
  onnxMultiHeadAttention,
} from "@heed/core/onnx";
import { beforeEach, describe, expect, test } from "vitest";
import { graph } from "./flex-graph.js";
import { heldAttention } from "./held-backend.js";
import { expectElements, int32, waves } from "./naive-attention.js";

let host: Attention;
let held: Awaited<ReturnType<typeof heldAttention>>;
// Memory of its own for each test.
beforeEach(async () => {
  host = await createAttention({ backends: [reference()], selfTest: false });
  held = await heldAttention();
});

type Tensors = Readonly<Record<string, unknown>>;
type Run = (
  attention: Attention,
  inputs: never,
  attributes: never,
  options: never,
) => Promise<object>;
const isTensor = (value: unknown): value is HostTensor =>
  typeof value === "object" && value !== null && "dtype" in value;

/** Names of tensors that are in host memory always. */
const always = new Set([
  "attn_mask",
  "key_padding_mask",
  "attention_bias",
  "head_sink",
  "seqlens_k",
]);
const upload = (inputs: Tensors, names: ReadonlySet<string> | null = null): Tensors =>
  Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [
      name,
      isTensor(value) && (names ? names.has(name) : !always.has(name)) ? held.hold(value) : value,
    ]),
  );
const disposeAll = (tensors: object) => {
  for (const t of Object.values(tensors))
    if (isDeviceTensor(t as Tensor)) (t as DeviceTensor).dispose();
};
const clone = (inputs: Tensors): Tensors =>
  Object.fromEntries(
    Object.entries(inputs).map(([name, t]) => [
      name,
      isTensor(t) ? tensor(t.data.slice() as never, t.shape, { dtype: t.dtype } as never) : t,
    ]),
  );

/** Runs an operator on the host and on the device, and compares all outputs. */
async function expectSame(
  run: Run,
  inputs: Tensors,
  attributes: object,
  options?: object,
): Promise<void> {
  const expected = await run(host, clone(inputs) as never, attributes as never, options as never);
  const given = upload(inputs);
  const before = held.live();
  const got = await run(held.attention, given as never, attributes as never, options as never);
  expect(Object.keys(got)).toEqual(Object.keys(expected));
  for (const [name, t] of Object.entries(got as Record<string, DeviceTensor>)) {
    expect([name, isDeviceTensor(t)]).toEqual([name, true]);
    const right = (expected as Record<string, HostTensor>)[name] as HostTensor;
    expect([name, t.shape]).toEqual([name, right.shape]);
    expectElements((await t.read()) as HostTensor, [...toFloat64(right)], name);
  }
  const own = new Set(Object.values(given));
  const fresh = Object.values(got).filter((t) => !own.has(t));
  expect(held.live() - before).toBe(fresh.length);
  disposeAll(fresh);
  expect(held.live()).toBe(before);
  disposeAll(given);
  expect(held.live()).toBe(0);
}

const Q = { Q: waves(2, 4, 3, 4), K: waves(2, 2, 5, 4), V: waves(2, 2, 5, 6) };
const flat = { Q: waves(2, 3, 16), K: waves(2, 5, 8), V: waves(2, 5, 12) };
const counts = { q_num_heads: 4, kv_num_heads: 2 };
const past = { past_key: waves(2, 2, 2, 4), past_value: waves(2, 2, 2, 6) };
const ofMask = tensor([true, false, true, true, true], [5]);
test.each<[string, Tensors, object]>([
  ["4 axes", Q, {}],
  ["3 axes", flat, counts],
  ["one query in 3 axes", { ...flat, Q: waves(2, 1, 16) }, counts],
  ["a past", { ...Q, ...past }, { is_causal: 1 }],
  [
    "a mask and lengths",
    { ...Q, attn_mask: ofMask, nonpad_kv_seqlen: [5, 2] },
    { qk_matmul_output_mode: 3 },
  ],
  ["capped scores", { ...flat, ...past }, { ...counts, qk_matmul_output_mode: 1, softcap: 1 }],
])("Attention: %s", async (_, inputs, attributes) => {
  await expectSame(onnxAttention as never, inputs, attributes);
});

const qkv = { query: waves(2, 3, 8), key: waves(2, 3, 8), value: waves(2, 3, 12) };
const room = {
  past_key: waves(2, 2, 6, 4),
  past_value: waves(2, 2, 6, 6),
  past_sequence_length: 2,
};
const padding = int32([3, 1], 2);
test.each<[string, Tensors, object]>([
  ["queries, keys and values", qkv, {}],
  ["a causal mask", qkv, { unidirectional: 1 }],
  ["packed keys and values", { query: qkv.query, key: waves(2, 3, 2, 2, 4) }, {}],
  ["everything packed", { query: waves(2, 3, 2, 3, 4) }, {}],
  [
    "keys that were projected",
    { query: qkv.query, key: waves(2, 2, 5, 4), value: waves(2, 2, 5, 6) },
    {},
  ],
  [
    "padding and a bias",
    { ...qkv, key_padding_mask: padding, attention_bias: waves(2, 2, 3, 3) },
    {},
  ],
  ["a past", { ...qkv, ...past }, { unidirectional: 1 }],
  ["a past in a buffer", { ...qkv, ...room }, { unidirectional: 1 }],
  ["a buffer and padding", { ...qkv, ...room, key_padding_mask: int32([5, 2], 2) }, {}],
  ["a buffer and a bias", { ...qkv, ...room, attention_bias: waves(1, 1, 3, 5) }, {}],
])("MultiHeadAttention: %s", async (_, inputs, attributes) => {
  await expectSame(onnxMultiHeadAttention as never, inputs, { num_heads: 2, ...attributes });
});

const heads = { num_heads: 4, kv_num_heads: 2 };
const step = {
  query: waves(2, 1, 16),
  key: waves(2, 1, 8),
  value: waves(2, 1, 8),
  past_key: waves(2, 2, 6, 4),
  past_value: waves(2, 2, 6, 4),
  seqlens_k: [3, 1],
  total_sequence_length: 4,
};
const prompt = { query: waves(2, 3, 32), seqlens_k: [2, 1], total_sequence_length: 3 };
const tables = { cos_cache: waves(9, 2), sin_cache: waves(9, 2) };
const weights = { q_norm_weight: waves(4), k_norm_weight: waves(4) };
test.each<[string, Tensors, object, object?]>([
  ["a step", step, {}],
  ["a step in a buffer", step, {}, { sharedBuffer: true }],
  ["a packed prompt", prompt, {}],
  [
    "rules, rotation and norms",
    { ...step, ...tables, ...weights },
    { do_rotary: 1, local_window_size: 2, softcap: 1 },
  ],
  ["a bias and sinks", { ...step, attention_bias: waves(2, 4, 1, 4), head_sink: waves(4) }, {}],
  [
    "a bias in a buffer",
    { ...step, attention_bias: waves(1, 1, 1, 4) },
    {},
    { sharedBuffer: true },
  ],
  ["a compacted cache", step, { sliding_window_cache: 1, local_window_size: 3 }],
  [
    "a compacted cache in a buffer",
    step,
    { sliding_window_cache: 1, local_window_size: 3 },
    { sharedBuffer: true },
  ],
])("GroupQueryAttention: %s", async (_, inputs, attributes, options) => {
  await expectSame(onnxGroupQueryAttention as never, inputs, { ...heads, ...attributes }, options);
});

test("FlexAttention", async () => {
  const score_mod = graph("s b h q k", [["Mul", "s s", "y"]]);
  await expectSame(onnxFlexAttention as never, Q, { score_mod });
});

describe("a past in a backend's memory beside a query that is not", () => {
  test.each<[string, Run, Tensors, object, object?]>([
    ["MultiHeadAttention", onnxMultiHeadAttention as never, { ...qkv, ...room }, { num_heads: 2 }],
    ["GroupQueryAttention", onnxGroupQueryAttention as never, step, heads, { sharedBuffer: true }],
  ])("%s reads the output alone", async (_, run, inputs, attributes, options) => {
    const names = new Set(["past_key", "past_value"]);
    const expected = (await run(
      host,
      clone(inputs) as never,
      attributes as never,
      options as never,
    )) as Record<string, HostTensor>;
    const given = upload(inputs, names);
    const got = (await run(
      held.attention,
      given as never,
      attributes as never,
      options as never,
    )) as Record<string, DeviceTensor>;
    expect(isDeviceTensor(got.output as Tensor)).toBe(false);
    expectElements(got.output as unknown as HostTensor, [
      ...toFloat64(expected.output as HostTensor),
    ]);
    expect(got.present_key).toBe(given.past_key);
    const present = (await (got.present_key as DeviceTensor).read()) as HostTensor;
    expectElements(present, [...toFloat64(expected.present_key as HostTensor)]);
    expect(held.live()).toBe(2);
    disposeAll(given);
  });
});

describe("refusals", () => {
  const mha = { num_heads: 2 };
  const shared = { sharedBuffer: true };
  const apart = "a host tensor, as the query, where past and present share no buffer";
  const own = "a tensor of backend held, as the query, where past and present share a buffer";
  const flex = { prob_mod: graph("s b h q k", [["Mul", "s s", "y"]]) };
  const nothing =
    "nothing beside inputs on a device, whose weights are not read: give host tensors";
  test.each<
    [string, Run, Tensors, readonly string[] | null, object, object | undefined, string, string]
  >([
    [
      "outputs",
      onnxAttention as never,
      Q,
      null,
      { qk_matmul_output_mode: 2 },
      undefined,
      "no qk_matmul_output of mode 2 where inputs are on a device",
      "qk_matmul_output",
    ],
    [
      "outputs",
      onnxMultiHeadAttention as never,
      qkv,
      null,
      mha,
      { outputs: ["qk"] },
      "no qk where inputs are on a device",
      "qk",
    ],
    [
      "bias",
      onnxMultiHeadAttention as never,
      { ...qkv, bias: waves(28) },
      ["query", "key", "value"],
      mha,
      undefined,
      "nothing beside tensors on a device: no operation adds it there",
      "a tensor",
    ],
    [
      "qk_output",
      onnxGroupQueryAttention as never,
      step,
      null,
      { ...heads, qk_output: 1 },
      undefined,
      "0 where inputs are on a device",
      "another",
    ],
    [
      "past_key",
      onnxMultiHeadAttention as never,
      { ...qkv, ...past },
      ["past_key", "past_value"],
      mha,
      undefined,
      apart,
      "a tensor of backend held",
    ],
    [
      "past_value",
      onnxGroupQueryAttention as never,
      step,
      ["past_value"],
      heads,
      undefined,
      apart,
      "a tensor of backend held",
    ],
    [
      "past_key",
      onnxGroupQueryAttention as never,
      step,
      ["query", "key", "value"],
      heads,
      shared,
      own,
      "a host tensor",
    ],
    [
      "past_value",
      onnxGroupQueryAttention as never,
      step,
      ["past_key"],
      heads,
      shared,
      "a tensor of backend held, as past_key",
      "a host tensor",
    ],
    [
      "past_value",
      onnxGroupQueryAttention as never,
      step,
      ["past_value"],
      heads,
      shared,
      "a host tensor, as past_key",
      "a tensor of backend held",
    ],
    ["prob_mod", onnxFlexAttention as never, Q, null, flex, undefined, nothing, "a graph"],
    ["prob_mod", onnxFlexAttention as never, Q, ["Q"], flex, undefined, nothing, "a graph"],
    ["prob_mod", onnxFlexAttention as never, Q, ["K"], flex, undefined, nothing, "a graph"],
    ["prob_mod", onnxFlexAttention as never, Q, ["V"], flex, undefined, nothing, "a graph"],
  ])("%s", async (argument, run, inputs, names, attributes, options, expected, actual) => {
    const given = upload(inputs, names && new Set(names));
    const before = held.live();
    const running = run(held.attention, given as never, attributes as never, options as never);
    const error = await running.then(
      () => null,
      (thrown) => thrown,
    );
    expect(error).toBeInstanceOf(InvalidInputError);
    expect([error.argument, error.expected, error.actual]).toEqual([argument, expected, actual]);
    expect(held.live()).toBe(before);
    disposeAll(given);
  });

  test("packed tensors need views, and attention on a device needs apply and allocate", async () => {
    const { view: _, ...others } = held.hold(waves(2, 3, 2, 3, 4)) as DeviceTensor;
    const bare = {
      ...others,
      ...{ backend: "held", dtype: "float32", shape: [2, 3, 2, 3, 4], disposed: false },
      ...{ read: async () => zeros("float32", [1]), dispose: () => {} },
    };
    await expect(
      onnxMultiHeadAttention(held.attention, { query: bare } as never, mha),
    ).rejects.toMatchObject({
      argument: "query",
      expected: "a tensor of a backend whose tensors have views",
      actual: "a tensor of backend held",
    });
    const given = upload(Q);
    const { run, apply, allocate } = held.attention;
    for (const lacking of [{ run }, { run, apply }, { run, allocate }]) {
      const error = { argument: "attention", expected: "what createAttention resolves with" };
      await expect(onnxAttention(lacking as never, given as never)).rejects.toMatchObject(error);
    }
    disposeAll(given);
  });
});
