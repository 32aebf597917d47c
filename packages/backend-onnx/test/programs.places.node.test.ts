import { onnx } from "@heed/backend-onnx";
import { BackendUnavailableError } from "@heed/core";
import { test } from "vitest";
import { expectOperations } from "./program-operations.js";

test("each operation gives its defined result, webgpu", async ({ skip }) => {
  const backend = await onnx({ provider: "webgpu" })
    .load()
    .catch((error) => {
      if (error instanceof BackendUnavailableError) return null;
      throw error;
    });
  if (backend === null) return skip("no GPU");
  await expectOperations(backend, "float32", 2e-5);
  await backend.dispose();
});

test("each operation gives its defined result, wasm", async () => {
  const backend = await onnx({ provider: "wasm", threads: 1 }).load();
  await expectOperations(backend, "float32", 4e-7);
  await backend.dispose();
});
