import { onnx } from "@heed/backend-onnx";
import { testBackend } from "@heed/conformance/vitest";
import { inBrowser, scope } from "../../../test/select.js";
import declaration from "../conformance.json" with { type: "json" };

/**
 * The suite on provider webgpu. With `HEED_TEST_SCOPE=places` the whole runs in browsers and these parts in
 * Node, since without a GPU the CPU does the work; with `HEED_TEST_SCOPE=all` the whole runs in both.
 */
export function testOnWebgpu(parts: readonly string[]): void {
  const whole = scope === "all" || (scope === "places" && inBrowser);
  for (const filter of whole ? [""] : parts) {
    const title = `onnx backend, webgpu, ${filter || "all"}`;
    testBackend(onnx({ provider: "webgpu" }), { declaration, title, filter });
  }
}
