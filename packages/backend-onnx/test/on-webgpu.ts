import { onnx } from "@heed/backend-onnx";
import { testBackend } from "@heed/conformance/vitest";
import declaration from "../conformance.json" with { type: "json" };

/**
 * The suite on provider webgpu. CPUs do its work where there is no GPU, so of it these parts; with
 * `HEED_ALL_VARIATIONS=1`, as `.ci/run` does in chromium, the whole.
 */
export function testOnWebgpu(parts: readonly string[]): void {
  const whole = import.meta.env.HEED_ALL_VARIATIONS === "1";
  for (const filter of whole ? [""] : parts) {
    const title = `onnx backend, webgpu, ${filter || "all"}`;
    testBackend(onnx({ provider: "webgpu" }), { declaration, title, filter });
  }
}
