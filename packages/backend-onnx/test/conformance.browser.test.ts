import { onnx } from "@heed/backend-onnx";
import { testBackend } from "@heed/conformance/vitest";
import declaration from "../conformance.json" with { type: "json" };

testBackend(onnx({ provider: "wasm", threads: 1 }), { declaration, title: "onnx backend, wasm" });

// In software, so a part: see conformance.node.test.ts.
for (const filter of ["decode/", "laws/mask", "masks/empty-rows", "pairs/plain"]) {
  const title = `onnx backend, webgpu, ${filter}`;
  testBackend(onnx({ provider: "webgpu" }), { declaration, title, filter });
}
