import type { AttentionProvider } from "@heed/core";
import { checkModel } from "@heed/splice/check";
import * as ort from "onnxruntime-node";
import { beforeAll, describe, expect, test } from "vitest";
import { attentionOn, providers } from "../../../test/backends.js";
import { gemma, gpt2, llama, whisper } from "./models/decoders.js";
import { bert, einsum, swin, t5, torchLayer, vit } from "./models/encoders.js";
import {
  attentionOperator,
  groupQueryOperator,
  multiHeadOperator,
  packedOperator,
  packedPadding,
} from "./models/operators.js";
import * as traps from "./models/traps.js";
import type { TestModel } from "./models/writer.js";
import { tensors } from "./runs.js";

/** One of each kind, which run on every backend. */
const kinds: Readonly<Record<string, TestModel>> = {
  bert: bert(),
  vit: vit(),
  swin: swin(),
  torchLayer: torchLayer(),
  einsum: einsum(),
  t5: t5(),
  "gpt2 with a past": gpt2(3),
  whisper: whisper(),
  "llama with a past and padding": llama({ past: 4, padLeft: true }),
  gemma: gemma(),
  attentionOperator: attentionOperator(),
  multiHeadOperator: multiHeadOperator(),
  "groupQueryOperator with a past": groupQueryOperator(4),
  "packedOperator with a past": packedOperator(4),
  float16: traps.float16,
};

/** Variants of them, which make the same problems for a backend with other numbers. */
const variants: Readonly<Record<string, TestModel>> = {
  gpt2: gpt2(0),
  llama: llama({}),
  groupQueryOperator: groupQueryOperator(0),
  packedOperator: packedOperator(0),
  packedPadding: packedPadding("mask"),
  scaleOfData: traps.scaleOfData,
  safeRows: traps.safeRows,
  sharedWeights: traps.sharedWeights,
  inverted: traps.inverted,
  scaledBias: traps.scaledBias,
};

/** Compares a model with itself as `heed-splice check` does, and expects the backend to run all sites. */
async function expectKept(name: string, model: TestModel, provider: AttentionProvider) {
  const feeds = tensors(model.feeds);
  const [check] = await checkModel(model.bytes, { feeds, backends: [provider], runtime: ort });
  if (!check || !("passed" in check)) throw new Error(`${name}: ${check?.unavailable}`);
  expect(check.passed, `${name}: ${JSON.stringify(check)}`).toBe(true);
  for (const { site, backend, reason } of check.sites) {
    expect(backend, `${site.name} of ${name}: ${reason}`).toBe(provider.name);
  }
}

describe.each(["js", "wasm", "onnx", "webgpu"])("%s", (name) => {
  test("every model keeps its outputs", { timeout: 300_000 }, async ({ skip }) => {
    const attention = await attentionOn(name);
    if (!attention) return skip(`${name} is not available`);
    await attention.dispose();
    const provider = await (providers[name] as () => Promise<AttentionProvider>)();
    // A software adapter compiles for seconds.
    const models = name === "webgpu" ? kinds : { ...kinds, ...variants };
    for (const [model, written] of Object.entries(models)) {
      await expectKept(model, written, provider);
    }
  });
});

describe("opsets that no other test has", { timeout: 60_000 }, () => {
  let provider: AttentionProvider;

  beforeAll(async () => {
    provider = await (providers.js as () => Promise<AttentionProvider>)();
  });

  test.each([15, 16, 19, 20, 21, 22, 24, 25])("BERT in opset %i", (opset) =>
    expectKept(`bert(${opset})`, bert(opset), provider),
  );

  test.each([24, 25])("the operator Attention in opset %i", (opset) =>
    expectKept(`attentionOperator(${opset})`, attentionOperator(opset), provider),
  );
});
