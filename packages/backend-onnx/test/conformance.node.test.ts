import { onnx } from "@heed/backend-onnx";
import { testBackend } from "@heed/conformance/vitest";
import { wholeIn } from "../../../test/select.js";
import declaration from "../conformance.json" with { type: "json" };
import { forWasmInNode } from "./graphs.js";

testBackend(onnx({ provider: "cpu", threads: 1 }), {
  declaration,
  title: "onnx backend, cpu",
  select: wholeIn("node"),
});
// The same module as in browsers.
testBackend(onnx({ provider: "wasm", threads: 1 }), {
  declaration,
  title: "onnx backend, wasm",
  select: forWasmInNode,
});
