/**
 * What the backend refuses in browsers only: see runtime-limits.node.test.ts for the rest.
 */
import { type OnnxRuntime, onnx } from "@heed/backend-onnx";
import { expect, test } from "vitest";
import { importRuntime } from "../src/runtime/import.js";

test("wasm: env.wasm.proxy takes the caller's arrays away", async () => {
  const runtime = await importRuntime("wasm");
  const env = { ...runtime.env, wasm: { ...runtime.env.wasm, proxy: true } };
  const proxied = { ...runtime, env } as unknown as OnnxRuntime;
  await expect(onnx({ provider: "wasm", runtime: proxied }).load()).rejects.toThrow(
    /env.wasm.proxy/,
  );
});
