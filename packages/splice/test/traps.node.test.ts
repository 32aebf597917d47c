import type { Attention } from "@heed/core";
import { splice } from "@heed/splice";
import * as ort from "onnxruntime-node";
import { beforeAll, describe, expect, test } from "vitest";
import { attentionOn } from "../../../test/backends.js";
import { gemma, gpt2, llama, whisper } from "./models/decoders.js";
import { bert, einsum, swin, t5, torchLayer, vit } from "./models/encoders.js";
import { type Plot, planted } from "./models/planted.js";
import * as traps from "./models/traps.js";
import type { TestModel } from "./models/writer.js";
import { compared, tensors } from "./runs.js";

let attention: Attention;

beforeAll(async () => {
  attention = (await attentionOn("js")) as Attention;
});

describe("what is no attention stays with the runtime", () => {
  test.each([
    ["weights that a gate changes", traps.gatedWeights, "no factor of a product"],
    ["values that depend on the weights", traps.circular, "depend on its own weights"],
    ["a fill that hides nothing", traps.mildFill, "which hides nothing"],
    ["heads that are mixed before the softmax", traps.talkingHeads, "Transpose"],
  ] as [string, TestModel, string][])("%s", async (_, { bytes }, reason) => {
    const refused = splice(bytes, { attention, runtime: ort });
    await expect(refused).rejects.toMatchObject({ name: "SpliceError", reason: "no-attention" });
    await expect(refused).rejects.toThrow(reason);
  });

  test("attention in the body of If, beside one outside", async () => {
    const { model } = await compared(traps.insideIf(traps.plain, traps.scaleOfData), attention);
    expect(model.sites).toHaveLength(1);
    expect(model.notUnderstood.map(({ reason }) => reason)).toEqual([
      'it is inside the body of If "choice", which the runtime runs as a whole',
      'it is inside the body of If "choice", which the runtime runs as a whole',
    ]);
  });
});

describe("every model with traps planted around its attention", () => {
  const models: readonly (readonly [string, TestModel, Plot])[] = [
    ["BERT", bert(), { keys: 5 }],
    ["BERT in opset 11", bert(11), { keys: 5, opset: 11 }],
    ["ViT", vit(), { keys: 6 }],
    ["Swin", swin(), { keys: 4 }],
    ["torch.nn.MultiheadAttention", torchLayer(), { keys: 5, rank: 3, opset: 12 }],
    ["Einsum", einsum(), { keys: 5 }],
    ["T5", t5(), { keys: 5 }],
    ["Whisper", whisper(), { keys: 5 }],
    ["GPT-2", gpt2(0), { keys: 4 }],
    ["GPT-2 with a past", gpt2(3), { keys: 7 }],
    ["Llama", llama({}), { keys: 3 }],
    [
      "Llama with a past, padding and heads repeated by Tile",
      llama({ repeat: "tile", past: 4, padLeft: true }),
      { keys: 7 },
    ],
    ["Gemma", gemma(), { keys: 5 }],
  ];

  test.each(models)("%s", async (_, model, plot) => {
    const bare = await splice(model.bytes, { attention, runtime: ort });
    const names = bare.sites.map(({ name }) => name);
    const calls = (await bare.run(tensors(model.feeds), { inputs: true })).sites;
    await bare.dispose();
    // Outputs are the model's own, which this compares, those of the traps among them.
    const { model: spliced, result } = await compared(planted(model, plot), attention);
    for (const name of names) {
      const site = result.sites.get(name);
      expect(site?.backend, site?.reason).toBe("js");
      expect(site?.inputs).toEqual(calls.get(name)?.inputs);
    }
    const others = [...result.sites].filter(([name]) => !names.includes(name));
    for (const [, site] of others) {
      expect(site).toMatchObject({
        backend: null,
        reason: expect.stringContaining("more leading axes"),
      });
    }
    // The traps are the last softmaxes of the file.
    const refused = spliced.notUnderstood.filter(({ name }) => name.startsWith("trap_"));
    expect(others.length + refused.length).toBe(2);
    expect(refused.length).toBeGreaterThan(0);
  });
});

describe("a call that does not fit is run by the runtime, which says why", () => {
  test.each([
    ["a scale of each head", traps.scalePerHead, "the scale is a tensor of 2 elements"],
    ["a mask that spreads the scores", traps.spreadingMask, "more leading axes than the scores"],
    ["rows that see no key by −1e9", traps.emptyRows, "a row sees no key"],
  ] as [string, TestModel, string][])("%s", async (_, model, reason) => {
    const { result } = await compared(model, attention);
    const [site] = result.sites.values();
    expect(site).toMatchObject({ backend: null, reason: expect.stringContaining(reason) });
    expect(site?.weights?.shape).toHaveLength(4);
  });
});

describe("what looks different and is attention", () => {
  test.each([
    ["a scale that the model computes", traps.scaleOfData, {}],
    ["rows that see no key, and weights that are safe", traps.safeRows, {}],
    ["two values with the same weights", traps.sharedWeights, { scale: 1 }],
    ["Where with the scores last", traps.inverted, { causal: true, queryOffset: 0 }],
    ["a bias that is scaled, and a number subtracted", traps.scaledBias, { scale: 0.25 }],
    ["float16 around a softmax in float32", traps.float16, { scale: 0.5 }],
  ] as [string, TestModel, object][])("%s", async (_, model, inputs) => {
    const { result } = await compared(model, attention);
    const [site] = result.sites.values();
    expect(site?.backend, site?.reason).toBe("js");
    expect(site?.inputs).toMatchObject(inputs);
  });
});
