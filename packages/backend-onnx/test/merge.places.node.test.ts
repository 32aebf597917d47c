/** Merging of partial attention on provider webgpu, of whose infinities nothing is certain. */
import { onnx } from "@heed/backend-onnx";
import type { Backend } from "@heed/core";
import { afterAll, beforeAll, test } from "vitest";
import { anywhere, checkMerge } from "./merge-calls.js";

let backend: Backend;
beforeAll(async () => {
  backend = await onnx({ provider: "webgpu" }).load();
});
afterAll(() => backend.dispose());

test.each(anywhere)("%s", (_, call) => checkMerge(backend, call));
