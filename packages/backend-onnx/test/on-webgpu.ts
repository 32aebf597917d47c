import { onnx } from "@heed/backend-onnx";
import { testBackend } from "@heed/conformance/vitest";
import { inBrowser, scope } from "../../../test/select.js";
import declaration from "../conformance.json" with { type: "json" };

/**
 * The suite on provider webgpu. Without a GPU the CPU does its work, so `pnpm test` runs these parts of it.
 * `HEED_TEST_SCOPE=places` runs the whole in browsers, `HEED_TEST_SCOPE=all` also in Node.
 */
export function testOnWebgpu(parts: readonly string[]): void {
  const whole = scope === "all" || (scope === "places" && inBrowser);
  for (const filter of whole ? [""] : parts) {
    const title = `onnx backend, webgpu, ${filter || "all"}`;
    testBackend(onnx({ provider: "webgpu" }), { declaration, title, filter });
  }
}
