import { describe, expect, test } from "vitest";
import { attentionOn } from "../../../test/backends.js";
import { gemma, gpt2, llama, whisper } from "./models/decoders.js";
import { bert, einsum, swin, t5, torchLayer, vit } from "./models/encoders.js";
import {
  attentionOperator,
  groupQueryOperator,
  multiHeadOperator,
  packedOperator,
} from "./models/operators.js";
import { compared } from "./runs.js";

const models = {
  bert: bert(),
  vit: vit(),
  swin: swin(),
  torchLayer: torchLayer(),
  einsum: einsum(),
  t5: t5(),
  gpt2: gpt2(3),
  whisper: whisper(),
  llama: llama({ past: 4, padLeft: true }),
  gemma: gemma(),
  attentionOperator: attentionOperator(),
  multiHeadOperator: multiHeadOperator(),
  groupQueryOperator: groupQueryOperator(4),
  packedOperator: packedOperator(4),
};

// On js they are in the other files.
describe.each(["wasm", "onnx", "webgpu"])("%s", (name) => {
  test("every model keeps its outputs", async ({ skip }) => {
    const attention = await attentionOn(name);
    if (!attention) return skip(`${name} is not available`);
    for (const [model, written] of Object.entries(models)) {
      const { result } = await compared(written, attention);
      for (const [site, { backend, reason }] of result.sites) {
        expect(backend, `${site} of ${model}: ${reason}`).toBe(name);
      }
    }
  });
});
