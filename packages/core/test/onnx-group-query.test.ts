/** com.microsoft.GroupQueryAttention against the definition of attention, step by step. */
import {
  type Attention,
  createAttention,
  type HostTensor,
  reference,
  rotary,
  slice,
  splitHeads,
  tensor,
  toFloat64,
  zeros,
} from "@heed/core";
import {
  type OnnxGroupQueryAttentionInputs,
  type OnnxGroupQueryAttentionOutputs,
  onnxGroupQueryAttention,
} from "@heed/core/onnx";
import { beforeAll, describe, expect, test } from "vitest";
import { expectElements, naiveAttention, waves } from "./naive-attention.js";

let attention: Attention;
beforeAll(async () => {
  attention = await createAttention({ backends: [reference()], selfTest: false });
});

const [batch, queryHeads, kvHeads, size] = [2, 4, 2, 4];
const heads = { num_heads: queryHeads, kv_num_heads: kvHeads };
const values = (t: HostTensor | undefined): number[] => [...toFloat64(t as HostTensor)];
const split = (t: HostTensor, count: number) => splitHeads(t, count) as HostTensor;

/** Two entries with one new token each after 3 and 1 of a past of 6 rows. */
const [before, rows, total] = [[3, 1] as const, 6, 4];
const step = (changes: object = {}): OnnxGroupQueryAttentionInputs => ({
  query: waves(batch, 1, queryHeads * size),
  key: waves(batch, 1, kvHeads * size),
  value: waves(batch, 1, kvHeads * size),
  past_key: waves(batch, kvHeads, rows, size),
  past_value: waves(batch, kvHeads, rows, size),
  seqlens_k: [3, 1],
  total_sequence_length: total,
  ...changes,
});

/** Keys of a step at their places: rows of the past, and the new one after those of its entry. */
function present(past: HostTensor, fresh: HostTensor): HostTensor<"float32"> {
  const all = new Float32Array(batch * kvHeads * total * size);
  const [a, b] = [toFloat64(past), toFloat64(split(fresh, kvHeads))];
  for (let e = 0; e < batch; e++) {
    for (let h = 0; h < kvHeads; h++) {
      const head = e * kvHeads + h;
      const count = before[e] as number;
      all.set(a.subarray(head * rows * size, (head * rows + count) * size), head * total * size);
      all.set(b.subarray(head * size, (head + 1) * size), (head * total + count) * size);
    }
  }
  return tensor(all, [batch, kvHeads, total, size]);
}

type Rules = {
  readonly window?: number;
  readonly softcap?: number;
  readonly scale?: number;
  readonly bias?: HostTensor;
  readonly sinks?: readonly number[];
  readonly causal?: boolean;
};

/** The step by definition. */
function expectedStep(inputs: OnnxGroupQueryAttentionInputs, rules: Rules) {
  const { window = 99, softcap, scale = 1 / 2, bias, sinks, causal = true } = rules;
  const added = bias && toFloat64(bias);
  const [b1, h1] = bias?.shape ?? [];
  return naiveAttention(
    split(inputs.query, queryHeads),
    present(inputs.past_key as HostTensor, inputs.key as HostTensor),
    present(inputs.past_value as HostTensor, inputs.value as HostTensor),
    (b, h, _, j, score) => {
      const p = before[b] as number;
      if (j > p || (causal && j <= p - window)) return Number.NEGATIVE_INFINITY;
      const capped = softcap ? softcap * Math.tanh((score * scale) / softcap) : score * scale;
      const place = ((b1 === 1 ? 0 : b) * (h1 ?? 0) + (h1 === 1 ? 0 : h)) * total + j;
      return capped + (added ? (added[place] as number) : 0);
    },
    sinks && ((h) => sinks[h] as number),
  );
}

const biasOf = (b: number, h: number) => waves(b, h, 1, total);
const sinks = [0.5, -1, 2, 0.25];
test.each<[string, object, object, Rules]>([
  ["nothing", {}, {}, {}],
  ["a scale", { scale: 0.9 }, {}, { scale: 0.9 }],
  ["a scale of 0", { scale: 0 }, {}, {}],
  ["a softcap", { softcap: 0.7 }, {}, { softcap: 0.7 }],
  ["a softcap of 0", { softcap: 0 }, {}, {}],
  ["a window of 1", { local_window_size: 1 }, {}, { window: 1 }],
  ["a window of 2", { local_window_size: 2 }, {}, { window: 2 }],
  ["a window without end", { local_window_size: -1 }, {}, {}],
  [
    "no quantised caches",
    { k_quant_type: "NONE", v_quant_type: "NONE", kv_cache_bit_width: 0 },
    {},
    {},
  ],
  [
    "integers in arrays of other types",
    {},
    { seqlens_k: BigInt64Array.of(3n, 1n), total_sequence_length: Int32Array.of(4) },
    {},
  ],
  [
    "integers in tensors",
    {},
    { seqlens_k: tensor(Int32Array.of(3, 1), [2]), total_sequence_length: [4n] },
    {},
  ],
  ["no causal mask", { causal: 0 }, {}, { causal: false }],
  ["one more logit", { smooth_softmax: 1 }, {}, { sinks: [0, 0, 0, 0] }],
  ["sinks", {}, { head_sink: tensor(Float32Array.from(sinks), [4]) }, { sinks }],
  ["a bias", {}, { attention_bias: biasOf(2, 4) }, { bias: biasOf(2, 4) }],
  [
    "a bias for all",
    { softcap: 2 },
    { attention_bias: biasOf(1, 1) },
    { softcap: 2, bias: biasOf(1, 1) },
  ],
  ["a bias of heads", {}, { attention_bias: biasOf(1, 4) }, { bias: biasOf(1, 4) }],
  [
    "a bias of entries",
    { local_window_size: 2 },
    { attention_bias: biasOf(2, 1) },
    { window: 2, bias: biasOf(2, 1) },
  ],
])("a step with %s", async (_, attributes, changes, rules) => {
  const inputs = step(changes);
  const expected = expectedStep(inputs, rules);
  for (const qk_output of [0, 1, 2]) {
    const got = await onnxGroupQueryAttention(attention, inputs, {
      ...heads,
      ...attributes,
      qk_output,
    });
    expectElements(got.output, expected.output, "output");
    const qk =
      qk_output === 1 ? expected.logits.map((x) => (x === -Infinity ? 0 : x)) : expected.weights;
    if (qk_output > 0) expectElements(got.output_qk, qk, "output_qk");
    expect(Object.keys(got)).toEqual(
      ["output", "present_key", "present_value", "output_qk"].slice(0, qk_output > 0 ? 4 : 3),
    );
    // The past's rows are more than the total: present has as many, and 0 where there is no token.
    const key = present(inputs.past_key as HostTensor, inputs.key as HostTensor);
    expect(got.present_key?.shape).toEqual([batch, kvHeads, rows, size]);
    expectElements(slice(got.present_key as HostTensor, 2, 0, total) as HostTensor, values(key));
    const rest = slice(got.present_key as HostTensor, 2, total) as HostTensor;
    expect(values(rest).every((x) => x === 0)).toBe(true);
  }
});

test("queries, keys and values may be packed, and so may a prompt of entries of different lengths", async () => {
  const [length, lengths] = [3, [3, 2]];
  const query = waves(batch, length, (queryHeads + 2 * kvHeads) * size);
  const part = (from: number, count: number) =>
    slice(query, 2, from * size, (from + count) * size) as HostTensor;
  const parts = { query: part(0, 4), key: part(4, 2), value: part(6, 2) };
  const expected = naiveAttention(
    split(parts.query, 4),
    split(parts.key, 2),
    split(parts.value, 2),
    (b, _, i, j, score) => (j <= i && j < (lengths[b] as number) ? score / 2 : -Infinity),
  );
  const sizes = { seqlens_k: [2, 1], total_sequence_length: [3] };
  for (const given of [{ query }, parts]) {
    const got = await onnxGroupQueryAttention(attention, { ...given, ...sizes }, heads);
    expectElements(got.output, expected.output);
    expect(got.present_key?.shape).toEqual([batch, kvHeads, length, size]);
  }
  const only = await onnxGroupQueryAttention(attention, { query, ...sizes }, heads, {
    outputs: ["present_value"],
  });
  expect(Object.keys(only)).toEqual(["output", "present_value"]);
});

describe("rotary positions", () => {
  const pairs = 2;
  const tables = { cos_cache: waves(9, pairs), sin_cache: waves(9, pairs) };
  const turned = async (
    t: HostTensor,
    count: number,
    positions: number[],
    interleaved: boolean,
  ) => {
    const input = split(t, count);
    const shape = [batch, t.shape[1] as number];
    const call = {
      ...{ input, positions: tensor(Int32Array.from(positions), shape) },
      ...{ cos: tables.cos_cache, sin: tables.sin_cache, rotaryDim: 2 * pairs, interleaved },
    };
    const { output } = await attention.apply(rotary, call);
    // [batch, heads, length, size] to [batch, length, heads·size].
    const [, h, length] = input.shape as [number, number, number];
    const from = toFloat64(output as HostTensor);
    const data = Float32Array.from({ length: from.length }, (_, at) => {
      const [c, head] = [at % size, Math.floor(at / size) % h];
      const [i, b] = [Math.floor(at / (size * h)) % length, Math.floor(at / (size * h * length))];
      return from[((b * h + head) * length + i) * size + c] as number;
    });
    return tensor(data, t.shape);
  };

  test.each([
    ["a step, at its own place", 1, undefined, [3, 1]],
    ["a step, at given places", 1, [5, 8], [5, 8]],
    ["a prompt, from 0", 2, undefined, [0, 1, 0, 1]],
    ["a prompt, from the first place that is given", 2, [4, 7, 6, 6], [4, 5, 4, 5]],
  ] as const)("%s", async (_, length, given, positions) => {
    const prompt = {
      query: waves(batch, length, queryHeads * size),
      key: waves(batch, length, kvHeads * size),
      value: waves(batch, length, kvHeads * size),
      seqlens_k: [1, 1],
      total_sequence_length: 2,
    };
    const plain = length === 1 ? step() : prompt;
    for (const interleaved of [false, true]) {
      const inputs = {
        ...plain,
        query: await turned(plain.query, queryHeads, [...positions], interleaved),
        key: await turned(plain.key as HostTensor, kvHeads, [...positions], interleaved),
      };
      const wanted = await onnxGroupQueryAttention(attention, inputs, heads);
      const got = await onnxGroupQueryAttention(
        attention,
        { ...plain, ...tables, ...(given && { position_ids: given }) },
        { ...heads, do_rotary: 1, rotary_interleaved: interleaved ? 1 : 0 },
      );
      expect(values(got.output)).toEqual(values(wanted.output));
      expect(values(got.present_key)).toEqual(values(wanted.present_key));
    }
  });
});

test.each([
  [false, undefined],
  [true, undefined],
  [false, [2, 4]],
  [true, [1, 1]],
  [false, [2, 1]],
] as const)(
  "a compacted cache gives what the whole past gives (shared buffer: %s, bias: %j)",
  async (sharedBuffer, biased) => {
    const [window, capacity, steps] = [3, 5, 12];
    const rules = { ...heads, local_window_size: window };
    const compact = { ...rules, sliding_window_cache: 1 };
    let whole: OnnxGroupQueryAttentionOutputs | null = null;
    let compacted: OnnxGroupQueryAttentionOutputs = {
      output: zeros("float32", [1]),
      past: null,
      ...{ present_key: zeros("float32", [batch, kvHeads, capacity, size]) },
      ...{ present_value: zeros("float32", [batch, kvHeads, capacity, size]) },
    } as never;
    // A prompt of 3 and 2 tokens, and then one after another.
    for (let t = 0; t < steps; t++) {
      const [length, longest] = t === 0 ? [3, 3] : [1, 3 + t];
      const shift = (x: HostTensor): HostTensor =>
        tensor(
          Float32Array.from(toFloat64(x), (y) => Math.sin(y * 5 + t)),
          x.shape,
        );
      const fresh = {
        query: shift(waves(batch, length, queryHeads * size)),
        key: shift(waves(batch, length, kvHeads * size)),
        value: shift(waves(batch, length, kvHeads * size)),
        seqlens_k: [longest - 1, longest - 2],
        total_sequence_length: longest,
        ...(biased && { attention_bias: shift(waves(...biased, length, longest)) }),
      };
      const pastOf = (of: OnnxGroupQueryAttentionOutputs | null) =>
        of && {
          past_key: of.present_key as HostTensor,
          past_value: of.present_value as HostTensor,
        };
      whole = await onnxGroupQueryAttention(attention, { ...fresh, ...pastOf(whole) }, rules);
      const past = pastOf(compacted) as { past_key: HostTensor; past_value: HostTensor };
      compacted = await onnxGroupQueryAttention(attention, { ...fresh, ...past }, compact, {
        sharedBuffer,
      });
      expect(compacted.present_key?.shape).toEqual([batch, kvHeads, capacity, size]);
      if (sharedBuffer) expect(compacted.present_key).toBe(past.past_key);
      else expect(compacted.present_key).not.toBe(past.past_key);
      expectElements(compacted.output, values(whole.output), `step ${t}`);
    }
  },
);
