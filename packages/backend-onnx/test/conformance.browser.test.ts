import { onnx } from "@heed/backend-onnx";
import { testBackend } from "@heed/conformance/vitest";

testBackend(onnx({ provider: "wasm", threads: 1 }), { title: "onnx backend, wasm" });

// In software, so a part: see conformance.node.test.ts.
for (const filter of ["decode/", "laws/mask", "masks/empty-rows"]) {
  const title = `onnx backend, webgpu, ${filter}`;
  testBackend(onnx({ provider: "webgpu" }), { title, filter });
}
