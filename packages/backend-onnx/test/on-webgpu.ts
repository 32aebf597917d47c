import { onnx } from "@heed/backend-onnx";
import { testBackend } from "@heed/conformance/vitest";
import { inBrowser, scope } from "../../../test/select.js";
import declaration from "../conformance.json" with { type: "json" };
import { forWebgpuInBrowsers } from "./graphs.js";

/**
 * The suite on provider webgpu. With `HEED_TEST_SCOPE=places` every kind of graph runs in browsers and these parts in
 * Node, since without a GPU the CPU does the work; with `HEED_TEST_SCOPE=all` the whole runs in both.
 */
export function testOnWebgpu(parts: readonly string[]): void {
  const every = scope === "all" || (scope === "places" && inBrowser);
  for (const filter of every ? [""] : parts) {
    const title = `onnx backend, webgpu, ${filter || "all"}`;
    const select = every ? forWebgpuInBrowsers : undefined;
    testBackend(onnx({ provider: "webgpu" }), { declaration, title, filter, select });
  }
}
