/** Recorded calls of torch.nn.MultiheadAttention, whose origin stands in packages/conformance/vectors. */
import { readPackagedVector, readSafeTensors, type SafeTensors } from "@heed/conformance";
import { type Attention, cast, type HostTensor, tensor, toFloat64 } from "@heed/core";
import {
  fromTorch,
  fromTorchInputs,
  multiHeadAttention,
  type TorchInputs,
  type TorchStateDict,
} from "@heed/layers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { attentionOn, providers } from "../../../test/backends.js";
import { expectClose, floats } from "./calls.js";
import { naiveLayer } from "./naive.js";

const names = [
  "cross_bias_kdim_vdim",
  "cross_nobias_kdim_vdim_keypad_boolmask3d",
  "self_bias_causal_boolmask",
  "self_nobias",
  "self_nobias_floatmask_keypad",
] as const;

function partsOf({ tensors, metadata }: SafeTensors) {
  const { num_heads: heads } = JSON.parse(metadata.attributes as string) as { num_heads: number };
  const of = (prefix: string) =>
    Object.fromEntries(
      Object.entries(tensors)
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, t]) => [name.slice(prefix.length), t]),
    );
  const state = Object.fromEntries(
    Object.entries(tensors).filter(([name]) => !/^(in|out)\./.test(name)),
  );
  return {
    heads,
    state: state as unknown as TorchStateDict,
    inputs: of("in.") as unknown as TorchInputs,
    recorded: of("out."),
  };
}

describe.each(Object.keys(providers))("recorded layers of PyTorch on %s", (backend) => {
  let attention: Attention | null;
  beforeAll(async () => {
    attention = await attentionOn(backend);
  });
  afterAll(() => attention?.dispose());

  test.for(names)("%s", async (name, context) => {
    if (attention === null) return context.skip(`${backend} is not available`);
    const file = readSafeTensors(await readPackagedVector(`mha/${name}.safetensors`));
    const { heads, state, inputs, recorded } = partsOf(file);
    const layer = await multiHeadAttention(attention, fromTorch(state, { heads }));
    const call = fromTorchInputs({ ...inputs, average_attn_weights: false }, { heads });
    const { output, weights } = await layer.run(call);
    expectClose(output, toFloat64(recorded.output as HostTensor));
    expectClose(weights, toFloat64(recorded.attn_weights as HostTensor));
    const average = await layer.run(fromTorchInputs(inputs, { heads }));
    const [B, H, L, S] = (recorded.attn_weights as HostTensor).shape as [
      number,
      number,
      number,
      number,
    ];
    const all = toFloat64(recorded.attn_weights as HostTensor);
    const mean = Float64Array.from({ length: B * L * S }, (_, at) => {
      const [b, i] = [Math.floor(at / (L * S)), at % (L * S)];
      let sum = 0;
      for (let h = 0; h < H; h++) sum += all[(b * H + h) * L * S + i] as number;
      return sum / H;
    });
    expect(average.weights?.shape).toEqual([B, L, S]);
    expectClose(average.weights, mean);
    layer.dispose();
  });

  test("a query on the device gives a result there", async (context) => {
    if (attention === null) return context.skip(`${backend} is not available`);
    const file = readSafeTensors(
      await readPackagedVector("mha/self_bias_causal_boolmask.safetensors"),
    );
    const { heads, state, inputs, recorded } = partsOf(file);
    const layer = await multiHeadAttention(attention, fromTorch(state, { heads }));
    if (layer.backend === null) return context.skip(`${backend} has no memory of its own`);
    const { mask } = fromTorchInputs(inputs, { heads });
    const query = await attention.upload(inputs.query);
    const { output, weights } = await layer.run({ query, mask, returns: { weights: "average" } });
    expect(output.backend).toBe(layer.backend);
    expectClose(await output.read(), toFloat64(recorded.output as HostTensor));
    expect(weights?.shape).toEqual([2, 11, 11]);
    for (const t of [query, output, weights]) t?.dispose();
    layer.dispose();
  });
});

/** The other arguments of PyTorch's class, against its formulas. */
describe("arguments of torch.nn.MultiheadAttention", () => {
  let attention: Attention;
  beforeAll(async () => {
    attention = (await attentionOn("js")) as Attention;
  });
  const stateOf = (size: number): TorchStateDict => ({
    in_proj_weight: floats(3 * size, size),
    in_proj_bias: floats(3 * size),
    "out_proj.weight": floats(size, size),
    "out_proj.bias": floats(size),
  });

  test.each([
    ["add_bias_kv", { bias_k: floats(1, 1, 16), bias_v: floats(1, 1, 16) }, false],
    ["add_zero_attn", {}, true],
    ["both", { bias_k: floats(1, 1, 16), bias_v: floats(1, 1, 16) }, true],
  ])("%s: keys beside those of the call, whatever is masked", async (_, more, addZeroAttn) => {
    const options = fromTorch({ ...stateOf(16), ...more }, { heads: 4, addZeroAttn });
    const layer = await multiHeadAttention(attention, options);
    const hidden = tensor(Uint8Array.of(0, 1, 1, 0, 0, 1, 0, 0, 0), [3, 3], { dtype: "bool" });
    const padding = tensor(Uint8Array.of(0, 0, 1, 1, 1, 1), [2, 3], { dtype: "bool" });
    const call = fromTorchInputs(
      {
        query: floats(2, 3, 16),
        attn_mask: hidden,
        key_padding_mask: padding,
        average_attn_weights: false,
      },
      { heads: 4 },
    );
    const got = await layer.run(call);
    const wanted = naiveLayer(options, call as never);
    expectClose(got.output, wanted.output);
    expectClose(got.weights, wanted.weights);
    // The same by the layer's own causal mask.
    const causal = { ...options, causal: true };
    const { mask: _mask, ...others } = call;
    const again = await (await multiHeadAttention(attention, causal)).run(others);
    expectClose(again.output, wanted.output);
  });

  test("masks of floats are added, for padding too", async () => {
    const options = fromTorch(stateOf(16), { heads: 4 });
    const layer = await multiHeadAttention(attention, options);
    const inputs = {
      query: floats(2, 3, 16),
      attn_mask: floats(8, 3, 3),
      key_padding_mask: tensor(Float32Array.of(0, -1, 0.5, 0, 0, Number.NEGATIVE_INFINITY), [2, 3]),
    };
    const call = fromTorchInputs({ ...inputs, need_weights: false }, { heads: 4 });
    const got = await layer.run(call);
    expect(got.weights).toBeUndefined();
    expectClose(got.output, naiveLayer(options, call as never).output);
  });

  test("float64 and float16 states make layers of their dtype", async () => {
    const state = stateOf(16);
    const query = floats(1, 5, 16);
    const wanted = naiveLayer(fromTorch(state, { heads: 2 }), { query });
    for (const dtype of ["float64", "float16"] as const) {
      const converted = Object.fromEntries(
        Object.entries(state).map(([name, t]) => [name, cast(t, dtype)]),
      ) as unknown as TorchStateDict;
      const layer = await multiHeadAttention(attention, fromTorch(converted, { heads: 2 }));
      const { output } = await layer.run({ query: cast(query, dtype) });
      expect(output.dtype).toBe(dtype);
      if (dtype === "float64") expectClose(output, wanted.output);
    }
  });

  test.each([
    ["heads", { heads: 5 }, {}],
    ["in_proj_weight", { heads: 4 }, { in_proj_weight: floats(32, 16) }],
    ["in_proj_bias", { heads: 4 }, { in_proj_bias: floats(16) }],
    ["out_proj.weight", { heads: 4 }, { "out_proj.weight": floats(16, 8) }],
    ["q_proj_weight", { heads: 4 }, { in_proj_weight: undefined }],
    ["q_proj_weight", { heads: 4 }, { q_proj_weight: floats(16, 16) }],
    ["bias_v", { heads: 4 }, { bias_k: floats(1, 1, 16) }],
    ["stateDict.weight", { heads: 4 }, { weight: floats(1) }],
  ])("%s is named where it is wrong", (argument, options, changes) => {
    const run = () => fromTorch({ ...stateOf(16), ...changes } as never, options);
    expect(run).toThrow(expect.objectContaining({ code: "invalid-input", argument }));
  });

  test.each([
    ["attn_mask", { attn_mask: floats(3, 4) }],
    ["key_padding_mask", { key_padding_mask: floats(2, 4) }],
    ["query", { query: floats(2, 3) }],
    ["inputs.is_causal", { is_causal: true }],
  ])("%s of a call is named where it is wrong", (argument, changes) => {
    const run = () =>
      fromTorchInputs({ query: floats(2, 3, 16), ...changes } as never, { heads: 4 });
    expect(run).toThrow(expect.objectContaining({ code: "invalid-input", argument }));
  });
});
