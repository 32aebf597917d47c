/** Every kind of a torch.nn.MultiheadAttention and of its arguments, against PyTorch's own formulas. */
import { type Attention, type HostTensor, tensor, toFloat64 } from "@heed/core";
import {
  fromTorch,
  fromTorchInputs,
  multiHeadAttention,
  type TorchInputs,
  type TorchStateDict,
} from "@heed/layers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { attentionOn } from "../../../test/backends.js";
import { bools, expectClose, floats } from "./calls.js";

const [batch, length, keys, size, heads] = [2, 3, 5, 16, 4];
const headDim = size / heads;

/** Elements by their index along each axis. */
function reader(t: HostTensor | undefined): (...index: number[]) => number {
  if (t === undefined) return () => 0;
  const values = toFloat64(t);
  return (...index) =>
    values[index.reduce((at, i, axis) => at * (t.shape[axis] as number) + i, 0)] as number;
}

/** torch.nn.functional.multi_head_attention_forward, element by element; true in a mask hides. */
function evaluate(state: TorchStateDict, inputs: TorchInputs) {
  const query = inputs.query as HostTensor;
  const key = (inputs.key ?? query) as HostTensor;
  const value = (inputs.value ?? key) as HostTensor;
  const count = key.shape[1] as number;
  const { in_proj_weight: packed, in_proj_bias: bias } = state as unknown as Record<
    string,
    HostTensor
  >;
  const project = (t: HostTensor, part: number) => {
    const own = state[`${"qkv"[part]}_proj_weight` as keyof TorchStateDict] as HostTensor;
    const [input, weight, added] = [reader(t), reader(packed ?? own), reader(bias)];
    return (b: number, row: number, out: number): number => {
      const to = packed ? part * size + out : out;
      let sum = added(part * size + out);
      for (let i = 0; i < (t.shape[2] as number); i++) sum += input(b, row, i) * weight(to, i);
      return sum;
    };
  };
  const [q, k, v] = [project(query, 0), project(key, 1), project(value, 2)];
  const { attn_mask, key_padding_mask } = inputs as {
    attn_mask?: HostTensor;
    key_padding_mask?: HostTensor;
  };
  const [mask, padding] = [reader(attn_mask), reader(key_padding_mask)];
  const added = (t: HostTensor | undefined, x: number): number =>
    t?.dtype === "bool" ? (x ? Number.NEGATIVE_INFINITY : 0) : x;
  const weights = new Float64Array(batch * heads * length * count);
  const mixed = new Float64Array(batch * length * size);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < length; i++) {
        const logits = Float64Array.from({ length: count }, (_, j) => {
          let dot = 0;
          for (let c = h * headDim; c < (h + 1) * headDim; c++) dot += q(b, i, c) * k(b, j, c);
          const at = attn_mask?.shape.length === 3 ? mask(b * heads + h, i, j) : mask(i, j);
          return (
            dot / Math.sqrt(headDim) + added(attn_mask, at) + added(key_padding_mask, padding(b, j))
          );
        });
        const most = Math.max(...logits);
        const total = logits.reduce((sum, s) => sum + Math.exp(s - most), 0);
        for (let j = 0; j < count; j++) {
          const weight = Math.exp((logits[j] as number) - most) / total;
          weights[((b * heads + h) * length + i) * count + j] = weight;
          for (let c = h * headDim; c < (h + 1) * headDim; c++) {
            const to = (b * length + i) * size + c;
            mixed[to] = (mixed[to] as number) + weight * v(b, j, c);
          }
        }
      }
    }
  }
  const { "out_proj.weight": last, "out_proj.bias": lastBias } = state as unknown as Record<
    string,
    HostTensor
  >;
  const [weight, outBias] = [reader(last), reader(lastBias)];
  const output = Float64Array.from({ length: batch * length * size }, (_, at) => {
    const [row, out] = [Math.floor(at / size), at % size];
    let sum = outBias(out);
    for (let c = 0; c < size; c++) sum += (mixed[row * size + c] as number) * weight(out, c);
    return sum;
  });
  return { output, weights };
}

const ofLayer = {
  "one size": (biased: boolean) => ({
    in_proj_weight: floats(3 * size, size),
    ...(biased && { in_proj_bias: floats(3 * size) }),
  }),
  "sizes of their own": (biased: boolean) => ({
    q_proj_weight: floats(size, size),
    k_proj_weight: floats(size, 10),
    v_proj_weight: floats(size, 7),
    ...(biased && { in_proj_bias: floats(3 * size) }),
  }),
};
const attends = {
  itself: () => ({}),
  "other keys": () => ({ key: floats(batch, keys, size) }),
  "keys and values of other sizes": () => ({
    key: floats(batch, keys, 10),
    value: floats(batch, keys, 7),
  }),
};
/** Hides no key of a row whose first key would be its last. */
const hides = (at: number) => (at % 3 === 1 ? 1 : 0);
const masks: Readonly<Record<string, (n: number) => HostTensor | undefined>> = {
  none: () => undefined,
  "bools [L, S]": (n) =>
    bools(
      Array.from({ length: length * n }, (_, at) => hides(at % n)),
      length,
      n,
    ),
  "floats [L, S]": (n) => floats(length, n),
  "bools [B·H, L, S]": (n) =>
    bools(
      Array.from({ length: batch * heads * length * n }, (_, at) =>
        hides((at % n) + (at > 40 ? 2 : 0)),
      ),
      batch * heads,
      length,
      n,
    ),
  "floats [B·H, L, S]": (n) => floats(batch * heads, length, n),
};
const paddings: Readonly<Record<string, (n: number) => HostTensor | undefined>> = {
  none: () => undefined,
  bools: (n) =>
    bools(
      Array.from({ length: batch * n }, (_, at) => (at === n - 1 ? 1 : 0)),
      batch,
      n,
    ),
  floats: (n) =>
    tensor(
      Float32Array.from({ length: batch * n }, (_, at) =>
        at === n - 1 ? Number.NEGATIVE_INFINITY : at / 7,
      ),
      [batch, n],
    ),
};

const kinds = [
  ["one size", "itself"],
  ["one size", "other keys"],
  ["sizes of their own", "keys and values of other sizes"],
] as const;

describe.each(["js", "wasm"])("on %s", (backend) => {
  let attention: Attention;
  beforeAll(async () => {
    attention = (await attentionOn(backend)) as Attention;
  });
  afterAll(() => attention.dispose());

  test.each(kinds.flatMap((kind) => [true, false].map((biased) => [...kind, biased] as const)))(
    "a layer of %s attends to %s, biases: %s",
    async (of, to, biased) => {
      const state = {
        ...ofLayer[of](biased),
        "out_proj.weight": floats(size, size),
        ...(biased && { "out_proj.bias": floats(size) }),
      } as unknown as TorchStateDict;
      const layer = await multiHeadAttention(attention, fromTorch(state, { heads }));
      for (const [name, mask] of Object.entries(masks)) {
        for (const [padded, padding] of Object.entries(paddings)) {
          const n = to === "itself" ? length : keys;
          const [attn_mask, key_padding_mask] = [mask(n), padding(n)];
          const inputs = {
            query: floats(batch, length, size),
            ...attends[to](),
            ...(attn_mask && { attn_mask }),
            ...(key_padding_mask && { key_padding_mask }),
          } as TorchInputs;
          const wanted = evaluate(state, inputs);
          expect(wanted.output.every(Number.isFinite), `${name}, ${padded}`).toBe(true);
          const call = fromTorchInputs({ ...inputs, average_attn_weights: false }, { heads });
          const got = await layer.run(call);
          expectClose(got.output as HostTensor, wanted.output);
          expectClose(got.weights as HostTensor, wanted.weights);
        }
      }
      layer.dispose();
    },
  );
});
