import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FunctionProtoSchema, ModelProtoSchema } from "@heed/backend-onnx/proto";
import type { Attention } from "@heed/core";
import { splice } from "@heed/splice";
import { externalFilesOf } from "@heed/splice/files";
import * as ort from "onnxruntime-node";
import { beforeAll, describe, expect, test } from "vitest";
import { attentionOn } from "../../../test/backends.js";
import { bert } from "./models/encoders.js";
import { withWeightsOutside } from "./models/outside.js";
import { plain } from "./models/traps.js";
import { Writer } from "./models/writer.js";
import { compared, tensors } from "./runs.js";

let attention: Attention;

beforeAll(async () => {
  attention = (await attentionOn("js")) as Attention;
});

const spliced = (bytes: unknown, options: object = {}) =>
  splice(bytes as Uint8Array, { attention, runtime: ort, ...options });

describe("files that cannot be spliced", () => {
  const { bytes } = bert();

  test.each([0, 1, 100, bytes.length >> 1, bytes.length - 1])(
    "truncated after %i bytes",
    async (length) => {
      const error = { name: "SpliceError", code: "splice", reason: "truncated" };
      await expect(spliced(bytes.subarray(0, length))).rejects.toMatchObject(error);
    },
  );

  test.each([
    ["a PNG", Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13)],
    ["text", new TextEncoder().encode("<html>not found</html>")],
    ["zeros", new Uint8Array(64)],
    ["an ONNX tensor", new Uint8Array([8, 2, 16, 1, 74, 8, 0, 0, 128, 63, 0, 0, 0, 64])],
  ])("%s is no ONNX model", async (_, file) => {
    await expect(spliced(file)).rejects.toMatchObject({ name: "SpliceError", reason: "not-onnx" });
  });

  test.each([8, 26])("opset %i", async (opset) => {
    const model = fromBinary(ModelProtoSchema, bytes);
    for (const one of model.opsetImport) one.version = BigInt(opset);
    const refused = spliced(toBinary(ModelProtoSchema, model));
    await expect(refused).rejects.toMatchObject({ reason: "opset" });
    await expect(refused).rejects.toThrow(`opset ${opset}`);
  });

  test("functions", async () => {
    const model = fromBinary(ModelProtoSchema, bytes);
    model.functions.push(create(FunctionProtoSchema, { name: "Block", domain: "local" }));
    const refused = spliced(toBinary(ModelProtoSchema, model));
    await expect(refused).rejects.toMatchObject({ reason: "functions" });
  });

  test("no attention, with what was looked at", async () => {
    const g = new Writer(17);
    const x = g.input("x", "float32", ["batch", 4]);
    g.output("y", g.softmax(g.linear(x, 4, 3)), "float32", ["batch", 3]);
    const refused = spliced(g.model());
    await expect(refused).rejects.toMatchObject({ reason: "no-attention" });
    await expect(refused).rejects.toThrow("no factor of a product");
  });

  test("other things than bytes, and wrong options", async () => {
    await expect(spliced("model.onnx")).rejects.toMatchObject({ argument: "bytes" });
    await expect(spliced(bytes, { attention: {} })).rejects.toMatchObject({
      argument: "attention",
    });
    await expect(spliced(bytes, { runtime: {} })).rejects.toMatchObject({ argument: "runtime" });
    await expect(spliced(bytes, { externalData: "." })).rejects.toMatchObject({
      argument: "externalData",
    });
  });
});

test("weights in files beside the model are asked for by path", async () => {
  const { bytes, feeds } = plain;
  const { bytes: outside, files } = withWeightsOutside(bytes, ["weights_0.bin", "weights_1.bin"]);
  expect(files.size).toBe(2);
  expect(externalFilesOf(outside)).toEqual([...files.keys()]);
  expect(externalFilesOf(bytes)).toEqual([]);
  await expect(spliced(outside)).rejects.toMatchObject({ reason: "external-data" });
  await expect(spliced(outside, { externalData: () => "text" })).rejects.toMatchObject({
    reason: "external-data",
  });
  const whole = await spliced(bytes);
  const asked: string[] = [];
  const externalData = async (path: string) => {
    asked.push(path);
    return files.get(path);
  };
  const parted = await spliced(outside, { externalData });
  expect(asked.sort()).toEqual([...files.keys()].sort());
  const given = tensors(feeds);
  const [a, b] = [await whole.run(given), await parted.run(given)];
  expect(b.outputs.out?.data).toEqual(a.outputs.out?.data);
});

test("feeds and options of a run are checked", async () => {
  const { bytes, feeds } = bert();
  const model = await spliced(bytes);
  const given = tensors(feeds);
  const { input_ids, ...others } = given;
  await expect(model.run(others)).rejects.toMatchObject({ argument: "feeds.input_ids" });
  await expect(model.run({ ...given, x: input_ids } as never)).rejects.toMatchObject({
    argument: "feeds",
  });
  await expect(model.run(given, { weights: ["x"] })).rejects.toThrow("Softmax_softmax_");
  const [site] = model.sites;
  const named = await model.run(given, { weights: [site?.name as string] });
  expect(named.sites.get(site?.name as string)?.weights?.shape).toEqual([2, 2, 5, 5]);
  const bare = await model.run(given);
  expect(bare.sites.get(site?.name as string)).toEqual({ backend: "js", memory: "host" });
  await model.dispose();
  await model.dispose();
  await expect(model.run(given)).rejects.toMatchObject({ code: "disposed" });
});

test("a model whose inputs are of other sizes in each call", async () => {
  const { bytes } = bert();
  for (const rows of [1, 7]) {
    const ids = BigInt64Array.from({ length: rows }, (_, i) => BigInt(i));
    const ones = BigInt64Array.from({ length: rows }, () => 1n);
    await compared(
      {
        bytes,
        feeds: {
          input_ids: { type: "int64", data: ids, dims: [1, rows] },
          attention_mask: { type: "int64", data: ones, dims: [1, rows] },
        },
      },
      attention,
    );
  }
});
