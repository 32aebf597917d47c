import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type GraphProto,
  ModelProtoSchema,
  StringStringEntryProtoSchema,
  TensorProto_DataLocation,
} from "@heed/backend-onnx/proto";
import { readWholeFile } from "@heed/splice/files";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { main } from "../src/cli/main.js";
import { bert } from "./models/encoders.js";

afterEach(() => {
  vi.restoreAllMocks();
});

/** Bytes before the weights: a file with holes, which takes no place on the disk. */
const before = 2 ** 31;

test("weights past 2 GiB of a file beside the model", { timeout: 300_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "heed-splice-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const model = fromBinary(ModelProtoSchema, bert().bytes);
  const weights = await open(join(folder, "weights.bin"), "w");
  let at = before;
  for (const weight of (model.graph as GraphProto).initializer) {
    const { length } = weight.rawData;
    if (length < 64) continue;
    await weights.write(weight.rawData, 0, length, at);
    const entry = (key: string, value: unknown) =>
      create(StringStringEntryProtoSchema, { key, value: `${value}` });
    weight.externalData = [
      entry("location", "weights.bin"),
      entry("offset", at),
      entry("length", length),
    ];
    weight.dataLocation = TensorProto_DataLocation.EXTERNAL;
    weight.rawData = new Uint8Array();
    at += length;
  }
  await weights.close();
  const file = join(folder, "model.onnx");
  await writeFile(file, toBinary(ModelProtoSchema, model));
  expect(at).toBeGreaterThan(before);
  expect((await readWholeFile(join(folder, "weights.bin"))).length).toBe(at);

  const told = vi.spyOn(console, "log").mockImplementation(() => {});
  const args = ["check", file, "--random", "batch=1,length=8", "--backend", "js", "--json"];
  expect(await main(args)).toBe(0);
  const [check] = JSON.parse(told.mock.calls.at(-1)?.[0] as string);
  expect(check).toMatchObject({ backend: "js", passed: true });
  expect(check.sites[0].backend).toBe("js");
});
