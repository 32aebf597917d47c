import type { Attention } from "@heed/core";
import { splice } from "@heed/splice";
import * as ort from "onnxruntime-node";
import { beforeAll, describe, expect, test } from "vitest";
import { attentionOn } from "../../../test/backends.js";
import * as traps from "./models/traps.js";
import type { TestModel } from "./models/writer.js";
import { compared } from "./runs.js";

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
