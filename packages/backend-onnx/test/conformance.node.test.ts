import { onnx } from "@heed/backend-onnx";
import { testBackend } from "@heed/conformance/vitest";
import declaration from "../conformance.json" with { type: "json" };

testBackend(onnx({ provider: "wasm", threads: 1 }), { declaration, title: "onnx backend, wasm" });
testBackend(onnx({ provider: "cpu", threads: 1 }), { declaration, title: "onnx backend, cpu" });

// In software, so a part; `pnpm conformance --backend` with a module that exports
// onnx({ provider: "webgpu" }) runs all of it, in some two minutes.
for (const filter of ["core/", "vectors/onnx", "laws/mask"]) {
  const title = `onnx backend, webgpu, ${filter}`;
  testBackend(onnx({ provider: "webgpu" }), { declaration, title, filter });
}
