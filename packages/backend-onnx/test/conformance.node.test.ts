import { onnx } from "@heed/backend-onnx";
import { testBackend } from "@heed/conformance/vitest";

testBackend(onnx({ provider: "wasm", threads: 1 }), { title: "onnx backend, wasm" });
testBackend(onnx({ provider: "cpu", threads: 1 }), { title: "onnx backend, cpu" });
