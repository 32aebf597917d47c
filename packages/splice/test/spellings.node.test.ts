import type { Attention } from "@heed/core";
import { beforeAll, describe, expect, test } from "vitest";
import { attentionOn } from "../../../test/backends.js";
import { gemma, gpt2, llama, whisper } from "./models/decoders.js";
import { bert, einsum, swin, t5, torchLayer, vit } from "./models/encoders.js";
import { compared } from "./runs.js";

let attention: Attention;

beforeAll(async () => {
  attention = (await attentionOn("js")) as Attention;
});

/** The call of the first site, and that Heed ran all of them. */
async function callOf(model: Parameters<typeof compared>[0]) {
  const { model: spliced, result } = await compared(model, attention);
  for (const [name, site] of result.sites)
    expect(site.backend, `${name}: ${site.reason}`).toBe("js");
  const [first] = result.sites.values();
  return { spliced, inputs: first?.inputs, site: spliced.sites[0], sites: spliced.sites };
}

describe("encoders", () => {
  test.each([11, 12, 13, 18])(
    "BERT, opset %i: Div after the product, padding of −10000 by Add",
    async (opset) => {
      const { spliced, inputs, site } = await callOf(bert(opset));
      expect(site).toMatchObject({
        heads: 2,
        headDim: 4,
        scale: 0.5,
        mask: ["bias"],
        kind: "self",
      });
      expect(inputs).toMatchObject({ scale: 0.5, kvLengths: [5, 3] });
      expect(inputs?.bias).toBeUndefined();
      expect(spliced.notUnderstood.map(({ operator }) => operator)).toEqual(["Softmax"]);
    },
  );

  test("ViT: one product for all three, Mul on the query, and a softmax along another axis", async () => {
    const { model, result } = await compared(vit(), attention);
    const [own, slots] = [...result.sites.values()];
    expect(model.sites[0]).toMatchObject({ heads: 2, headDim: 4, scale: 0.5, causal: false });
    expect(own?.backend).toBe("js");
    expect(slots).toBeUndefined();
  });

  test("Swin: a bias of heads, and a mask in five axes", async () => {
    const { inputs } = await callOf(swin());
    expect(inputs?.bias?.shape).toEqual([6, 2, 4, 4]);
  });

  test("torch.nn.MultiheadAttention: batch and heads are one axis; the graph reads the weights", async () => {
    const { inputs, site } = await callOf(torchLayer());
    expect(inputs?.query.shape).toEqual([3, 2, 5, 4]);
    expect(site).toMatchObject({ heads: 2, headDim: 4 });
  });

  test("Einsum; the scores are an output as well", async () => {
    const { inputs } = await callOf(einsum());
    expect(inputs).toMatchObject({ scale: 0.5 });
  });

  test("T5: no scale, and a bias", async () => {
    const { inputs } = await callOf(t5());
    expect(inputs?.scale).toBe(1);
    expect(inputs?.bias?.shape).toEqual([1, 2, 5, 5]);
  });
});

describe("decoders", () => {
  test.each([0, 3])(
    "GPT-2 with %i tokens before: a triangle of the file, cut to size",
    async (past) => {
      const { inputs } = await callOf(gpt2(past));
      expect(inputs).toMatchObject({ causal: true, queryOffset: past, scale: 0.5 });
      expect(inputs?.mask).toBeUndefined();
    },
  );

  test("Whisper: roots of the scale, a triangle by Add, cross-attention", async () => {
    const { inputs, sites } = await callOf(whisper());
    expect(inputs).toMatchObject({ causal: true, queryOffset: 0 });
    expect(inputs?.scale).toBeCloseTo(0.5, 6);
    expect(sites.map(({ kind, causal }) => [kind, causal])).toEqual([
      ["self", true],
      ["cross", false],
    ]);
  });

  test.each([
    { repeat: "expand", past: 0 },
    { repeat: "tile", past: 4 },
  ] as const)("Llama: heads repeated by $repeat, $past tokens before", async (options) => {
    const { inputs } = await callOf(llama(options));
    expect(inputs?.key.shape[1]).toBe(2);
    expect(inputs).toMatchObject({ causal: true, queryOffset: options.past });
  });

  test("Llama with whole groups one after another, which is no grouping of Heed's", async () => {
    const { inputs } = await callOf(llama({ interleaved: true }));
    expect(inputs?.key.shape[1]).toBe(4);
  });

  test("Llama with padding on the left: a mask, where no row is empty", async () => {
    const { result } = await compared(llama({ padLeft: true, past: 4 }), attention);
    const [site] = result.sites.values();
    expect(site?.backend).toBe("js");
    expect(site?.inputs?.mask?.dtype).toBe("bool");
  });

  test("Llama with rows that see nothing: even weights, as the runtime has them", async () => {
    const { result } = await compared(llama({ padLeft: true }), attention);
    const [site] = result.sites.values();
    expect(site?.inputs?.bias?.shape).toEqual([2, 1, 3, 3]);
  });

  test("Gemma: softcap, a triangle of Trilu, one head of keys", async () => {
    const { inputs } = await callOf(gemma());
    expect(inputs).toMatchObject({ causal: true, softcap: 3, scale: 0.5 });
    expect(inputs?.key.shape[1]).toBe(1);
  });
});
