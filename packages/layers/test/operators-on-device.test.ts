/** onnxruntime's operators with a past that stays in a backend's memory. */
import { type Attention, type DeviceTensor, type HostTensor, tensor, toFloat64 } from "@heed/core";
import { onnxGroupQueryAttention, onnxMultiHeadAttention } from "@heed/core/onnx";
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
});
