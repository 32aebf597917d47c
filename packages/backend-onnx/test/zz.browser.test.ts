import { onnx } from "@heed/backend-onnx";
import { testBackend } from "@heed/conformance/vitest";

for (const filter of [
  "core/",
  "decode/",
  "everything",
  "numerics/float16",
  "behaviour",
  "numerics/empty",
]) {
  testBackend(onnx({ provider: "webgpu" }), { title: `webgpu ${filter}`, filter });
}
