/** Operators of ONNX and of onnxruntime in a backend's memory: of whole calls, and of a past alone. */
import {
  type Attention,
  type DeviceTensor,
  type HostTensor,
  isDeviceTensor,
  type Tensor,
  tensor,
  toFloat64,
} from "@heed/core";
import { onnxAttention, onnxGroupQueryAttention, onnxMultiHeadAttention } from "@heed/core/onnx";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { attentionOn } from "../../../test/backends.js";

const waves = (start: number, ...shape: number[]): HostTensor<"float32"> =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) =>
      Math.sin(start + i * 1.7),
    ),
    shape,
  );

function expectNear(found: HostTensor, wanted: HostTensor): void {
  expect(found.shape).toEqual(wanted.shape);
  const values = toFloat64(wanted);
  for (const [i, x] of toFloat64(found).entries()) {
    const right = values[i] as number;
    if (Number.isNaN(right)) expect(x).toBeNaN();
    else expect(x).toBeCloseTo(right, 5);
  }
}

/** The tensor in a backend's memory, which counts how often it is read. */
async function resident(
  attention: Attention,
  backend: string,
  t: HostTensor,
): Promise<{ there: DeviceTensor; reads: () => number; read: () => Promise<HostTensor> }> {
  const there = await attention.upload(t, { backend });
  const read = there.read.bind(there);
  let reads = 0;
  Object.defineProperty(there, "read", {
    value: () => {
      reads += 1;
      return read();
    },
  });
  return { there, reads: () => reads, read };
}

const heads = { num_heads: 4, kv_num_heads: 2 };
/** A new token of each entry, after 3 and 1 of a past of 6 rows, in which NaN is what nobody has written. */
function step(bias: boolean) {
  const past = (start: number) => {
    const t = waves(start, 2, 2, 6, 4);
    for (let row = 0; row < 24; row++) {
      if (row % 6 >= (row < 12 ? 3 : 1)) t.data.fill(Number.NaN, row * 4, row * 4 + 4);
    }
    return t;
  };
  return {
    query: waves(1, 2, 1, 16),
    key: waves(2, 2, 1, 8),
    value: waves(3, 2, 1, 8),
    past_key: past(4),
    past_value: past(5),
    seqlens_k: [3, 1],
    total_sequence_length: 4,
    cos_cache: waves(6, 8, 2),
    sin_cache: waves(7, 8, 2),
    ...(bias && { attention_bias: waves(8, 1, 1, 1, 4) }),
  };
}

type Operator = (
  attention: Attention,
  inputs: never,
  attributes: never,
  options: never,
) => Promise<object>;

interface Call {
  readonly operator: Operator;
  /** Inputs that are uploaded. */
  readonly tensors: Readonly<Record<string, HostTensor>>;
  readonly others?: object;
  readonly attributes?: object;
  readonly options?: object;
}

const causalHeads = { is_causal: 1, q_num_heads: 4, kv_num_heads: 2 };
const outputs = (...names: string[]) => ({ outputs: names });
const threeAxes = { Q: waves(1, 2, 3, 16), K: waves(2, 2, 3, 8), V: waves(3, 2, 3, 12) };
const fourAxes = { Q: waves(1, 2, 4, 3, 4), K: waves(2, 2, 2, 5, 4), V: waves(3, 2, 2, 5, 6) };
const multiHead = { query: waves(1, 2, 3, 8), key: waves(2, 2, 3, 8), value: waves(3, 2, 3, 12) };
const tables = { cos_cache: waves(6, 16, 2), sin_cache: waves(7, 16, 2) };
const prompt = { query: waves(1, 2, 5, 16), key: waves(2, 2, 5, 8), value: waves(3, 2, 5, 8) };
const decode = { query: waves(1, 2, 1, 16), key: waves(2, 2, 1, 8), value: waves(3, 2, 1, 8) };
const pastOf = (rows: number) => ({
  past_key: waves(4, 2, 2, rows, 4),
  past_value: waves(5, 2, 2, rows, 4),
});

const calls: Readonly<Record<string, Call>> = {
  "Attention with heads in the last axis": {
    operator: onnxAttention,
    tensors: threeAxes,
    attributes: causalHeads,
    options: outputs("Y", "present_key", "present_value"),
  },
  "Attention with a past": {
    operator: onnxAttention,
    tensors: {
      ...threeAxes,
      past_key: waves(4, 2, 2, 4, 4),
      past_value: waves(5, 2, 2, 4, 6),
    },
    attributes: { ...causalHeads, softcap: 2 },
    options: outputs("Y", "present_key", "present_value"),
  },
  "Attention with a mask, and its weights": {
    operator: onnxAttention,
    tensors: fourAxes,
    others: { attn_mask: tensor(Uint8Array.of(1, 0, 1, 1), [4], { dtype: "bool" }) },
    attributes: { qk_matmul_output_mode: 3 },
    options: outputs("Y", "qk_matmul_output"),
  },
  "MultiHeadAttention with padding": {
    operator: onnxMultiHeadAttention,
    tensors: multiHead,
    others: { key_padding_mask: tensor(Int32Array.of(3, 2), [2]) },
    attributes: { num_heads: 2 },
  },
  "MultiHeadAttention with a past and a bias of scores": {
    operator: onnxMultiHeadAttention,
    tensors: { ...multiHead, past_key: waves(4, 2, 2, 4, 4), past_value: waves(5, 2, 2, 4, 6) },
    others: { attention_bias: waves(8, 1, 2, 3, 7) },
    attributes: { num_heads: 2, unidirectional: 1 },
  },
  "MultiHeadAttention with a shared buffer": {
    operator: onnxMultiHeadAttention,
    tensors: { ...multiHead, past_key: waves(4, 2, 2, 9, 4), past_value: waves(5, 2, 2, 9, 6) },
    others: { past_sequence_length: 2 },
    attributes: { num_heads: 2 },
  },
  "MultiHeadAttention of one packed tensor": {
    operator: onnxMultiHeadAttention,
    tensors: { query: waves(1, 2, 3, 2, 3, 4) },
    attributes: { num_heads: 2 },
  },
  "MultiHeadAttention of packed keys and values": {
    operator: onnxMultiHeadAttention,
    tensors: { query: waves(1, 2, 3, 8), key: waves(2, 2, 5, 2, 2, 4) },
    attributes: { num_heads: 2 },
  },
  "MultiHeadAttention of keys that are projected": {
    operator: onnxMultiHeadAttention,
    tensors: { query: waves(1, 2, 3, 8), key: waves(2, 2, 2, 5, 4), value: waves(3, 2, 2, 5, 6) },
    attributes: { num_heads: 2 },
    options: outputs("output"),
  },
  "GroupQueryAttention of a padded prompt": {
    operator: onnxGroupQueryAttention,
    tensors: { ...prompt, ...tables },
    others: { seqlens_k: [4, 2], total_sequence_length: 5 },
    attributes: { ...heads, do_rotary: 1 },
  },
  "GroupQueryAttention of a packed prompt": {
    operator: onnxGroupQueryAttention,
    tensors: { query: waves(1, 2, 5, 32) },
    others: { seqlens_k: [4, 4], total_sequence_length: 5 },
    attributes: heads,
  },
  "GroupQueryAttention with a past, norms and sinks": {
    operator: onnxGroupQueryAttention,
    tensors: {
      ...decode,
      ...tables,
      ...pastOf(6),
      q_norm_weight: waves(8, 4),
      k_norm_weight: waves(9, 4),
    },
    others: { seqlens_k: [3, 1], total_sequence_length: 4, head_sink: waves(10, 4) },
    attributes: { ...heads, do_rotary: 1 },
  },
  "GroupQueryAttention with a shared buffer": {
    operator: onnxGroupQueryAttention,
    tensors: { ...decode, ...pastOf(6) },
    others: { seqlens_k: [3, 1], total_sequence_length: 4 },
    attributes: heads,
    options: { sharedBuffer: true },
  },
  "GroupQueryAttention with a compacted window": {
    operator: onnxGroupQueryAttention,
    tensors: { ...decode, ...pastOf(4) },
    others: { seqlens_k: [8, 2], total_sequence_length: 9 },
    attributes: { ...heads, local_window_size: 3, sliding_window_cache: 1 },
  },
};

/** A tensor with elements of its own: a call may write into it. */
function copyOf(t: HostTensor): HostTensor {
  return tensor((t.data as Float32Array).slice(), t.shape, { dtype: t.dtype as "float32" });
}

describe.each(["wasm", "webgpu"])("on %s", (backend) => {
  let attention: Attention | null = null;
  beforeAll(async () => {
    attention = await attentionOn(backend);
  }, 60_000);
  afterAll(() => attention?.dispose());

  test.each([false, true])("GroupQueryAttention, attention_bias %s", async (bias) => {
    if (attention === null) return;
    const attributes = { ...heads, do_rotary: 1 };
    const shared = { sharedBuffer: true };
    const inputs = step(bias);
    const wanted = await onnxGroupQueryAttention(attention, step(bias), attributes, shared);
    const key = await resident(attention, backend, inputs.past_key);
    const value = await resident(attention, backend, inputs.past_value);
    const past = { past_key: key.there, past_value: value.there };
    const found = await onnxGroupQueryAttention(
      attention,
      { ...inputs, ...past },
      attributes,
      shared,
    );
    expect(found.present_key).toBe(key.there);
    expect(found.present_value).toBe(value.there);
    expectNear(found.output, wanted.output);
    expect([key.reads(), value.reads()]).toEqual([0, 0]);
    expectNear(await key.read(), wanted.present_key as HostTensor);
    expectNear(await value.read(), wanted.present_value as HostTensor);
    const refused = { ...inputs, ...past };
    const on = attention;
    await expect(onnxGroupQueryAttention(on, refused, attributes)).rejects.toMatchObject({
      argument: "past_key",
    });
    const mixed = { ...inputs, past_key: key.there, past_value: inputs.past_value };
    await expect(
      onnxGroupQueryAttention(on, mixed as never, attributes, shared),
    ).rejects.toMatchObject({ argument: "past_value" });
    await expect(
      onnxGroupQueryAttention(on, refused, { ...attributes, qk_output: 1 }, shared),
    ).rejects.toMatchObject({ argument: "qk_output" });
    for (const t of [key.there, value.there]) t.dispose();
  });

  test.each([false, true])("MultiHeadAttention, padding %s", async (padded) => {
    if (attention === null) return;
    const inputs = {
      query: waves(1, 2, 1, 8),
      key: waves(2, 2, 1, 8),
      value: waves(3, 2, 1, 8),
      past_sequence_length: 2,
      ...(padded && { key_padding_mask: tensor(Int32Array.of(1, 1, 1, 0, 1, 1), [2, 3]) }),
    };
    const buffer = (start: number) => waves(start, 2, 2, 6, 4);
    const attributes = { num_heads: 2 };
    const wanted = await onnxMultiHeadAttention(
      attention,
      { ...inputs, past_key: buffer(4), past_value: buffer(5) },
      attributes,
    );
    const key = await resident(attention, backend, buffer(4));
    const value = await resident(attention, backend, buffer(5));
    const past = { past_key: key.there, past_value: value.there };
    const found = await onnxMultiHeadAttention(attention, { ...inputs, ...past }, attributes);
    expect(found.present_key).toBe(key.there);
    expectNear(found.output, wanted.output);
    expect([key.reads(), value.reads()]).toEqual([0, 0]);
    expectNear(await key.read(), wanted.present_key as HostTensor);
    expectNear(await value.read(), wanted.present_value as HostTensor);
    const outputs = { outputs: ["output", "qk"] } as const;
    await expect(
      onnxMultiHeadAttention(attention, { ...inputs, ...past }, attributes, outputs),
    ).rejects.toMatchObject({ argument: "outputs" });
    for (const t of [key.there, value.there]) t.dispose();
  });

  test.each(Object.entries(calls))("%s: whole", { timeout: 60_000 }, async (_, call) => {
    if (attention === null) return;
    const { operator, tensors, others = {}, attributes = {}, options = {} } = call;
    const own = attention;
    const run = async (given: Readonly<Record<string, Tensor>>) => {
      const inputs = { ...given, ...others };
      const made = await operator(own, inputs as never, attributes as never, options as never);
      return Object.entries(made) as [string, Tensor][];
    };
    const names = Object.keys(tensors);
    const copies = () => Object.values(tensors).map(copyOf);
    const named = <T>(list: readonly T[]) => Object.fromEntries(names.map((n, i) => [n, list[i]]));
    const wanted = named(copies()) as Record<string, HostTensor>;
    const expected = new Map(await run(wanted));
    const there = await Promise.all(copies().map((t) => resident(own, backend, t)));
    const found = await run(named(there.map((one) => one.there)) as Record<string, Tensor>);
    expect(found.map(([name]) => name)).toEqual([...expected.keys()]);
    expect(there.map(({ reads }) => reads())).toEqual(there.map(() => 0));
    for (const [name, t] of found) {
      expect(isDeviceTensor(t), name).toBe(true);
      const at = there.find((one) => one.there === t);
      const read = at ? await at.read() : await (t as DeviceTensor).read();
      expectNear(read, expected.get(name) as HostTensor);
      (t as DeviceTensor).dispose();
    }
    for (const one of there) one.there.dispose();
  });

  test("results that are made on the host, and biases that it adds, are refused", async () => {
    if (attention === null) return;
    const own = attention;
    const query = await own.upload(waves(1, 2, 3, 8), { backend });
    const [key, value] = [waves(2, 2, 3, 8), waves(3, 2, 3, 8)] as Tensor[];
    const multiHeads = (more: object, options: object = {}) =>
      onnxMultiHeadAttention(
        own,
        { query, key, value, ...more } as never,
        { num_heads: 2 },
        options,
      );
    await expect(multiHeads({ bias: waves(4, 24) })).rejects.toMatchObject({ argument: "bias" });
    await expect(multiHeads({}, outputs("output", "qk"))).rejects.toMatchObject({
      argument: "outputs",
    });
    const four = { q_num_heads: 2, kv_num_heads: 2, qk_matmul_output_mode: 2 };
    await expect(
      onnxAttention(own, { Q: query, K: key, V: value } as never, four),
    ).rejects.toMatchObject({ argument: "outputs" });
    await expect(
      onnxAttention({ run: own.run.bind(own) }, { Q: query, K: key, V: value } as never),
    ).rejects.toMatchObject({ argument: "attention" });
    query.dispose();
  });
});
