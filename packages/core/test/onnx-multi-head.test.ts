/** com.microsoft.MultiHeadAttention against the definition of attention, with every mask. */
import {
  type Attention,
  createAttention,
  type HostTensor,
  mergeHeads,
  reference,
  splitHeads,
  tensor,
  toFloat64,
  zeros,
} from "@heed/core";
import { type OnnxMultiHeadAttentionInputs, onnxMultiHeadAttention } from "@heed/core/onnx";
import { beforeAll, describe, expect, test } from "vitest";
import { batch, columns, heads, length, past, qkv, size, two } from "./multi-head-call.js";
import { expectElements, int32, joinRows, naiveAttention, waves } from "./naive-attention.js";

let attention: Attention;
beforeAll(async () => {
  attention = await createAttention({ backends: [reference()], selfTest: false });
});

/** Rows of each head of a past, and then those of this call. */
function joined(before: HostTensor | undefined, fresh: HostTensor): HostTensor {
  const rows = splitHeads(fresh, heads) as HostTensor;
  return before ? joinRows(before, rows) : rows;
}

/** Masks of keys by batch entry, query and key, and how they are written. */
const masks: Readonly<
  Record<
    string,
    (total: number) => { given?: HostTensor; attends: (b: number, i: number, j: number) => boolean }
  >
> = {
  "no mask": () => ({ attends: () => true }),
  lengths: () => ({ given: int32([3, 1], 2), attends: (b, _, j) => j < (b === 0 ? 3 : 1) }),
  "a length of 0": (total) => ({
    given: int32([0, total], 2),
    attends: (b, _, j) => j < (b === 0 ? 0 : total),
  }),
  "lengths and starts": (total) => ({
    given: int32([2, 3, 0, length, 2 * length, 0, total, 2 * total], 8),
    attends: (b, _, j) => j < (b === 0 ? 2 : 3),
  }),
  "keys of entries": (total) => ({
    given: int32(
      Array.from({ length: 2 * total }, (_, n) => (n % 3 === 1 ? 0 : n)),
      2,
      total,
    ),
    attends: (b, _, j) => b * total + j > 0 && (b * total + j) % 3 !== 1,
  }),
  "keys of queries": (total) => ({
    given: int32(
      Array.from({ length: 2 * length * total }, (_, n) =>
        n % 4 === 1 ? 7 : n % 3 === 0 ? -1 : 0,
      ),
      2,
      length,
      total,
    ),
    attends: (b, i, j) => {
      const n = (b * length + i) * total + j;
      return n % 4 === 1 || n % 3 === 0;
    },
  }),
  "nothing at all": (total) => ({
    given: int32(new Array(2 * total).fill(0), 2, total),
    attends: () => false,
  }),
};
const biases: readonly (readonly [number, number] | null)[] = [
  null,
  [1, 1],
  [2, 2],
  [1, 2],
  [2, 1],
];
const filters = [undefined, -10_000, -9_999, -1.5, 3];

describe.each(Object.keys(masks))("%s", (name) => {
  test.each([
    ["", {}, 0],
    [" with a past", past, 2],
  ] as const)("is added where it hides%s", async (_, before, pastRows) => {
    const total = length + pastRows;
    const { given, attends } = (masks[name] as (typeof masks)[string])(total);
    const key = joined((before as typeof past).past_key, qkv.key);
    const value = joined((before as typeof past).past_value, qkv.value);
    for (const filter of name === "no mask" ? [undefined] : filters) {
      for (const of of biases) {
        for (const unidirectional of [0, 1]) {
          const bias = of && waves(...of, length, total);
          const added = bias && toFloat64(bias);
          const logitOf = (b: number, h: number, i: number, j: number, score: number) => {
            const place =
              of && ((of[0] === 1 ? 0 : b) * of[1] + (of[1] === 1 ? 0 : h)) * length + i;
            const own = added && place !== null ? (added[place * total + j] as number) : 0;
            // A filter that weakens is a part of the bias, of float32.
            const round = (filter ?? -10_000) > -10_000 ? Math.fround : (x: number) => x;
            const logit = score / 2 + (attends(b, i, j) ? own : round(own + (filter ?? -10_000)));
            return unidirectional === 1 && j > pastRows + i ? Number.NEGATIVE_INFINITY : logit;
          };
          const expected = naiveAttention(
            splitHeads(qkv.query, heads) as HostTensor,
            key,
            value,
            logitOf,
          );
          const inputs = {
            ...qkv,
            ...before,
            ...(given && { key_padding_mask: given }),
            ...(bias && { attention_bias: bias }),
          } as OnnxMultiHeadAttentionInputs;
          const attributes = { ...two, mask_filter_value: filter, unidirectional };
          const label = JSON.stringify({ filter, of, unidirectional });
          const outputs = ["output", "present_key", "qk"] as const;
          const got = await onnxMultiHeadAttention(attention, inputs, attributes, { outputs });
          expectElements(got.output, expected.output, `output, ${label}`);
          const lowest = -3.4028234663852886e38;
          expectElements(
            got.qk,
            expected.logits.map((x) => Math.max(x, lowest)),
            `qk, ${label}`,
          );
          expectElements(got.present_key, [...toFloat64(key)], "present_key");
          expect(Object.keys(got)).toEqual(outputs);
        }
      }
    }
  });
});

test("logits of keys after a query stay finite, whatever is added to them", async () => {
  const bias = zeros("float32", [1, 1, length, length]);
  (bias.data as Float32Array).fill(-1e38);
  const inputs = { ...qkv, attention_bias: bias };
  const options = { outputs: ["qk"] } as const;
  const { qk } = await onnxMultiHeadAttention(
    attention,
    inputs,
    { ...two, unidirectional: 1 },
    options,
  );
  expect(toFloat64(qk as HostTensor)[1]).toBe(-3.4028234663852886e38);
});

describe("forms of the inputs", () => {
  const outputOf = async (inputs: object, attributes: object = {}) => [
    ...toFloat64(
      (await onnxMultiHeadAttention(attention, inputs as never, { ...two, ...attributes })).output,
    ),
  ];

  test("keys that were projected before have 4 axes", async () => {
    const [key, value] = [qkv.key, qkv.value].map((t) => splitHeads(t, heads));
    expect(await outputOf({ query: qkv.query, key, value })).toEqual(await outputOf(qkv));
    const longer = { key: waves(batch, heads, 5, size), value: waves(batch, heads, 5, columns) };
    const flat = Object.fromEntries(
      Object.entries(longer).map(([name, t]) => [name, mergeHeads(t)]),
    );
    expect(await outputOf({ query: qkv.query, ...longer })).toEqual(
      await outputOf({ query: qkv.query, ...flat }),
    );
  });

  test("packed tensors may lie anywhere in their memory", async () => {
    const packed = waves(batch, length, heads, 3, size);
    const data = new Float32Array(packed.data.length + 7);
    data.set(packed.data as Float32Array, 7);
    const moved = tensor(data, packed.shape, { offset: 7 });
    expect(await outputOf({ query: moved })).toEqual(await outputOf({ query: packed }));
    const none = tensor(new Float32Array(0), [batch, 0, heads, 3, size]);
    expect(await outputOf({ query: none })).toEqual([]);
  });

  test("the bias is added to each column of queries, keys and values", async () => {
    const bias = waves(heads * (2 * size + columns));
    const plus = (t: HostTensor, from: number): HostTensor => {
      const width = t.shape[2] as number;
      const add = toFloat64(bias).subarray(from, from + width);
      return tensor(
        Float32Array.from(toFloat64(t), (x, at) => x + (add[at % width] as number)),
        t.shape,
      );
    };
    const wanted = await outputOf({
      query: plus(qkv.query, 0),
      key: plus(qkv.key, heads * size),
      value: plus(qkv.value, 2 * heads * size),
    });
    const got = await outputOf({ ...qkv, bias });
    for (const [at, x] of wanted.entries()) expect(got[at]).toBeCloseTo(x, 6);
  });

  test("a scale of 0 is the usual one", async () => {
    expect(await outputOf(qkv, { scale: 0 })).toEqual(await outputOf(qkv, { scale: 1 / 2 }));
    expect(await outputOf(qkv, { scale: 1 })).not.toEqual(await outputOf(qkv));
  });

  test("the buffer of past and present may be longer than what is filled", async () => {
    const buffers = {
      past_key: zeros("float32", [batch, heads, 9, size]),
      past_value: zeros("float32", [batch, heads, 9, columns]),
    };
    for (const [name, t] of Object.entries(buffers)) {
      const from = past[name as keyof typeof past];
      const width = t.shape[3] as number;
      (t.data as Float32Array).fill(Number.NaN);
      for (let h = 0; h < batch * heads; h++) {
        const rows = (from.data as Float32Array).subarray(2 * h * width, 2 * (h + 1) * width);
        (t.data as Float32Array).set(rows, 9 * h * width);
      }
    }
    const shared = { ...qkv, ...buffers, past_sequence_length: 2 };
    expect(await outputOf(shared)).toEqual(await outputOf({ ...qkv, ...past }));
    expect(await outputOf({ ...shared, past_sequence_length: [2] })).toEqual(
      await outputOf(shared),
    );
    const padded = { key_padding_mask: int32([5, 2], 2) };
    expect(await outputOf({ ...shared, ...padded })).toEqual(
      await outputOf({ ...qkv, ...past, ...padded }),
    );
  });
});
