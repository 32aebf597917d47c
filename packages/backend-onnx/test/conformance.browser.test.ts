import { onnx } from "@heed/backend-onnx";
import { testBackend } from "@heed/conformance/vitest";
import declaration from "../conformance.json" with { type: "json" };
import { forWasmInBrowsers } from "./graphs.js";

testBackend(onnx({ provider: "wasm", threads: 1 }), {
  declaration,
  title: "onnx backend, wasm",
  select: forWasmInBrowsers,
});
