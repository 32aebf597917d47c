/** ONNX's Attention against the definition of attention, with every kind of mask, and what it refuses. */
import {
  type Attention,
  type AttentionInputs,
  createAttention,
  type HostTensor,
  InvalidInputError,
  mergeHeads,
  reference,
  tensor,
  toFloat64,
  zeros,
} from "@heed/core";
import { type OnnxAttentionInputs, onnxAttention } from "@heed/core/onnx";
import { beforeAll, describe, expect, test } from "vitest";
import { expectElements, int32, joinRows, naiveAttention, waves } from "./naive-attention.js";

let attention: Attention;
beforeAll(async () => {
  attention = await createAttention({ backends: [reference()], selfTest: false });
});

const [batch, heads, kvHeads, length, total] = [2, 4, 2, 3, 5];
const plain = {
  Q: waves(batch, heads, length, 4),
  K: waves(batch, kvHeads, total, 4),
  V: waves(batch, kvHeads, total, 6),
};
const count = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
const bools = (...shape: number[]) =>
  tensor(
    Array.from({ length: count(shape) }, (_, at) => (at * 5) % 7 !== 2),
    shape,
  );

/** The element of a mask at a place, along whose last axis nothing is repeated. */
function maskAt(mask: HostTensor, place: readonly number[]): number | undefined {
  const { shape } = mask;
  const own = place.slice(4 - shape.length);
  if ((own.at(-1) as number) >= (shape.at(-1) as number)) return undefined;
  const at = own.reduce(
    (sum, index, axis) =>
      sum * (shape[axis] as number) + (shape[axis] === 1 && axis < shape.length - 1 ? 0 : index),
    0,
  );
  return toFloat64(mask)[at];
}

const masks: readonly (HostTensor | undefined)[] = [
  undefined,
  ...[[5], [3], [1], [3, 5], [1, 4], [4, 3, 5], [2, 1, 1, 5], [2, 4, 3, 2], [1, 4, 1, 5]].flatMap(
    (shape) => [bools(...shape), waves(...shape)],
  ),
];
const lengths: readonly (readonly number[] | undefined)[] = [undefined, [5, 5], [4, 2], [0, 3]];

describe.each([
  ["", {}],
  [", causal", { is_causal: 1 }],
  [", in a window", { left_window_size: 2, right_window_size: 0 }],
  [", capped", { softcap: 0.8, scale: 0.9, right_window_size: 1 }],
  [
    ", unbounded",
    { left_window_size: -1, right_window_size: -1, softcap: 0, softmax_precision: 1 },
  ],
])("attention%s", (_, attributes) => {
  const rules: Record<string, number | undefined> = attributes;
  const scale = rules.scale ?? 1 / 2;
  const sideOf = (name: string) => {
    const size = rules[name] ?? -1;
    return size < 0 ? Number.POSITIVE_INFINITY : size;
  };
  const left = sideOf("left_window_size");
  const right = rules.is_causal === 1 ? 0 : sideOf("right_window_size");
  const cap = (score: number) =>
    rules.softcap ? rules.softcap * Math.tanh(score / rules.softcap) : score;

  test.each(masks.map((mask) => [mask ? `${mask.dtype} of ${mask.shape}` : "none", mask] as const))(
    "with a mask: %s",
    async (_, mask) => {
      for (const nonpad of lengths) {
        const logitOf = (b: number, h: number, i: number, j: number, score: number) => {
          const own = nonpad?.[b] ?? total;
          const p = i + (nonpad ? own - length : 0);
          const hides = j >= own || j < p - left || j > p + right;
          const value = mask ? maskAt(mask, [b, h, i, j]) : 0;
          if (hides || value === undefined || (mask?.dtype === "bool" && value === 0))
            return -Infinity;
          return cap(score * scale) + (mask?.dtype === "bool" ? 0 : value);
        };
        const expected = naiveAttention(plain.Q, plain.K, plain.V, logitOf);
        const all = naiveAttention(
          plain.Q,
          plain.K,
          plain.V,
          (_b, _h, _i, _j, score) => score * scale,
        );
        const inputs: OnnxAttentionInputs = {
          ...plain,
          ...(mask && { attn_mask: mask }),
          ...(nonpad && { nonpad_kv_seqlen: nonpad }),
        };
        for (const mode of [0, 1, 2, 3]) {
          const given = { ...attributes, qk_matmul_output_mode: mode };
          const got = await onnxAttention(attention, inputs, given);
          const qk = [all.logits, all.logits.map(cap), expected.logits, expected.weights][mode];
          const label = `lengths ${nonpad}, mode ${mode}`;
          expectElements(got.qk_matmul_output, qk as number[], `qk_matmul_output, ${label}`);
          expectElements(mergeHeads(got.Y) as HostTensor, expected.output, `Y, ${label}`);
        }
      }
    },
  );
});

test.each([
  [0, "a mask"],
  [1, "a mask"],
  [2, "lengths"],
  [3, "lengths"],
])("scores of mode %i, which padding has or not, are asked for with %s", async (mode, padding) => {
  const calls: AttentionInputs[] = [];
  const recording = {
    run: (call: AttentionInputs<HostTensor>) => {
      calls.push(call);
      return attention.run(call);
    },
  };
  const inputs = { ...plain, nonpad_kv_seqlen: [4, 2] };
  await onnxAttention(recording as never, inputs, { qk_matmul_output_mode: mode });
  const [call] = calls as [AttentionInputs];
  expect([call.mask !== undefined, call.kvLengths !== undefined]).toEqual(
    padding === "a mask" ? [true, false] : [false, true],
  );
});

test("a mask without a column hides every key, and errors have their cause", async () => {
  const none = { ...plain, attn_mask: tensor(new Uint8Array(0), [3, 0], { dtype: "bool" }) };
  const { Y } = await onnxAttention(attention, none, {}, { outputs: ["Y"] });
  expect([...toFloat64(Y)]).toEqual(new Array(count(Y.shape)).fill(0));
  const wrong = { ...plain, V: waves(batch, kvHeads, total - 1, 6) };
  const error = await onnxAttention(attention, wrong).catch((thrown) => thrown);
  expect([error.argument, error.cause.argument]).toEqual(["V", "value"]);
});

test("a past goes before the new keys, in 3 or 4 axes", async () => {
  const past = { past_key: waves(batch, kvHeads, 2, 4), past_value: waves(batch, kvHeads, 2, 6) };
  const [key, value] = [joinRows(past.past_key, plain.K), joinRows(past.past_value, plain.V)];
  const expected = naiveAttention(plain.Q, key, value, (_b, _h, i, j, score) =>
    j > i + 2 ? -Infinity : score / 2,
  );
  const flat = Object.fromEntries(Object.entries(plain).map(([name, t]) => [name, mergeHeads(t)]));
  const counts = { q_num_heads: heads, kv_num_heads: kvHeads };
  for (const [inputs, attributes] of [
    [plain, {}],
    [plain, counts],
    [flat, counts],
  ] as const) {
    const given = { ...inputs, ...past } as OnnxAttentionInputs;
    const got = await onnxAttention(attention, given, { ...attributes, is_causal: 1 });
    const merged = inputs === flat ? got.Y : (mergeHeads(got.Y) as HostTensor);
    expectElements(merged, expected.output);
    expectElements(got.present_key, [...toFloat64(key)]);
    expectElements(got.present_value, [...toFloat64(value)]);
  }
});

test.each<[string, unknown]>([
  ["an Int32Array", Int32Array.of(4, 2)],
  ["a BigInt64Array", BigInt64Array.of(4n, 2n)],
  ["big integers", [4n, 2n]],
  ["a tensor", int32([4, 2], 2)],
])("lengths are read from %s", async (_, nonpad_kv_seqlen) => {
  const run = (lengths: unknown) =>
    onnxAttention(attention, { ...plain, nonpad_kv_seqlen: lengths } as OnnxAttentionInputs);
  expect((await run(nonpad_kv_seqlen)).Y).toEqual((await run([4, 2])).Y);
});

describe("refusals", () => {
  const f32 = (...shape: number[]) => zeros("float32", shape);
  const three = { Q: f32(2, 3, 16), K: f32(2, 5, 8), V: f32(2, 5, 12) };
  const counts = { q_num_heads: 4, kv_num_heads: 2 };
  const past = { past_key: f32(2, 2, 1, 4), past_value: f32(2, 2, 1, 6) };
  const before = (d: number, name: string) =>
    `float32 of shape [2, 2, past_length, ${d}], to go before ${name}`;
  const nonpad = "lengths from 0 to the key's length 5";
  const window = "an integer ≥ −1, where −1 is unbounded";
  test.each<[string, object, object, string, string]>([
    ["Q", { Q: f32(3, 4) }, {}, "3 or 4 axes", "[3, 4]"],
    ["Q", { Q: f32(1, 2, 4, 3, 4) }, {}, "3 or 4 axes", "[1, 2, 4, 3, 4]"],
    ["K", { K: f32(2, 5, 8) }, {}, "4 axes, as Q", "[2, 5, 8]"],
    ["V", { ...three, V: f32(2, 2, 5, 6) }, counts, "3 axes, as Q", "[2, 2, 5, 6]"],
    ["q_num_heads", {}, { q_num_heads: 3 }, "4, as in Q", "3"],
    ["kv_num_heads", {}, { q_num_heads: 4, kv_num_heads: 4 }, "2, as in K", "4"],
    ["q_num_heads", three, {}, "a number of heads, since inputs are 3-D", "undefined"],
    [
      "kv_num_heads",
      three,
      { q_num_heads: 4 },
      "a number of heads, since inputs are 3-D",
      "undefined",
    ],
    [
      "Q",
      three,
      { q_num_heads: 3, kv_num_heads: 2 },
      "a last axis that q_num_heads 3 divides",
      "[2, 3, 16]",
    ],
    [
      "K",
      three,
      { q_num_heads: 4, kv_num_heads: 3 },
      "a last axis that kv_num_heads 3 divides",
      "[2, 5, 8]",
    ],
    [
      "V",
      { ...three, V: f32(2, 5, 7) },
      counts,
      "a last axis that kv_num_heads 2 divides",
      "[2, 5, 7]",
    ],
    [
      "past_value",
      { past_key: past.past_key },
      {},
      "past_key and past_value together",
      "only one of them",
    ],
    [
      "past_key",
      { past_value: past.past_value },
      {},
      "past_key and past_value together",
      "only one of them",
    ],
    [
      "past_key",
      { ...past, past_key: f32(2, 2, 1, 3) },
      {},
      before(4, "K"),
      "float32 of shape [2, 2, 1, 3]",
    ],
    [
      "past_key",
      { ...past, past_key: f32(1, 2, 1, 4) },
      {},
      before(4, "K"),
      "float32 of shape [1, 2, 1, 4]",
    ],
    [
      "past_key",
      { ...past, past_key: f32(2, 1, 1, 4) },
      {},
      before(4, "K"),
      "float32 of shape [2, 1, 1, 4]",
    ],
    [
      "past_value",
      { ...past, past_value: zeros("float64", [2, 2, 1, 6]) },
      {},
      before(6, "V"),
      "float64 of shape [2, 2, 1, 6]",
    ],
    [
      "past_value",
      { ...past, past_value: f32(2, 2, 6) },
      {},
      before(6, "V"),
      "float32 of shape [2, 2, 6]",
    ],
    [
      "nonpad_kv_seqlen",
      { ...past, nonpad_kv_seqlen: [1, 1] },
      {},
      "no past_key and past_value beside it",
      "both",
    ],
    ["nonpad_kv_seqlen", { nonpad_kv_seqlen: [1] }, {}, "2 lengths, one a batch", "1 of them"],
    ["nonpad_kv_seqlen", { nonpad_kv_seqlen: [1, 6] }, {}, nonpad, "6"],
    ["nonpad_kv_seqlen", { nonpad_kv_seqlen: [-1, 5] }, {}, nonpad, "-1"],
    ["nonpad_kv_seqlen", { nonpad_kv_seqlen: [1, 0.5] }, {}, nonpad, "0.5"],
    [
      "nonpad_kv_seqlen",
      { nonpad_kv_seqlen: waves(2) },
      {},
      "int32 of shape [batch]",
      "float32 of shape [2]",
    ],
    [
      "nonpad_kv_seqlen",
      { nonpad_kv_seqlen: int32([1, 1], 2, 1) },
      {},
      "int32 of shape [batch]",
      "int32 of shape [2, 1]",
    ],
    [
      "attn_mask",
      { attn_mask: zeros("float64", [3, 5]) },
      {},
      "dtype bool or Q's float32",
      "float64",
    ],
    [
      "attn_mask",
      { attn_mask: f32(3, 6) },
      {},
      "rank 1 to 4 and a last axis of at most 5 keys",
      "[3, 6]",
    ],
    ["attn_mask", { attn_mask: f32() }, {}, "rank 1 to 4 and a last axis of at most 5 keys", "[]"],
    [
      "attn_mask",
      { attn_mask: bools(3, 1, 1, 5), nonpad_kv_seqlen: [5, 5] },
      {},
      "a batch axis of 1 or 2",
      "[3, 1, 1, 5]",
    ],
    ["is_causal", {}, { is_causal: 2 }, "0 or 1", "2"],
    ["is_causal", {}, { is_causal: -1 }, "0 or 1", "-1"],
    ["q_num_heads", {}, { q_num_heads: 0 }, "an integer ≥ 1", "0"],
    ["kv_num_heads", {}, { kv_num_heads: 0.5 }, "an integer ≥ 1", "0.5"],
    ["qk_matmul_output_mode", {}, { qk_matmul_output_mode: 4 }, "0, 1, 2 or 3", "4"],
    ["qk_matmul_output_mode", {}, { qk_matmul_output_mode: -1 }, "0, 1, 2 or 3", "-1"],
    ["left_window_size", {}, { left_window_size: -2 }, window, "-2"],
    ["right_window_size", {}, { right_window_size: -2 }, window, "-2"],
    ["scale", {}, { scale: Infinity }, "a finite number", "Infinity"],
    ["softcap", {}, { softcap: -1 }, "a finite number ≥ 0", "-1"],
    [
      "softmax_precision",
      {},
      { softmax_precision: 7 },
      "1 (float), 10 (float16), 11 (double) or 16 (bfloat16)",
      "7",
    ],
    ["outputs", { outputs: ["Z"] }, {}, "Y, present_key, present_value, qk_matmul_output", '"Z"'],
  ])(
    "%s: %j, %j",
    async (argument, {
      outputs,
      ...changes
    }: { outputs?: unknown }, attributes, expected, actual) => {
      const options = outputs === undefined ? undefined : { outputs };
      const run = onnxAttention(attention, { ...plain, ...changes }, attributes, options as never);
      const error = await run.catch((e) => e);
      expect(error).toBeInstanceOf(InvalidInputError);
      expect([error.argument, error.expected, error.actual]).toEqual([argument, expected, actual]);
    },
  );

  test("what attention and its inputs have to be", async () => {
    const like = Object.assign(() => {}, { run: attention.run });
    for (const wrong of [null, undefined, {}, { run: 1 }, "attention", like]) {
      await expect(onnxAttention(wrong as never, plain)).rejects.toMatchObject({
        argument: "attention",
        expected: "what createAttention resolves with",
      });
    }
    for (const wrong of [null, undefined, 5]) {
      await expect(onnxAttention(attention, wrong as never)).rejects.toMatchObject({
        argument: "inputs",
        expected: "an object",
      });
    }
    for (const wrong of [null, 5]) {
      await expect(onnxAttention(attention, plain, wrong as never)).rejects.toMatchObject({
        argument: "attributes",
        expected: "an object",
      });
    }
  });
});
