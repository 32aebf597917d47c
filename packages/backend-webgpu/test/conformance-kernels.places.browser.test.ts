/** Browsers have another release of the compiler than Node: one case for each set of kernels. */
import { webgpu } from "@heed/backend-webgpu";
import { testBackend } from "@heed/conformance/vitest";
import { oneOfEach } from "../../../test/select.js";
import { kernelsOf } from "./variation.js";

const provider = webgpu({ allowFallbackAdapter: true });

testBackend(provider, {
  title: "one case for each set of kernels",
  select: oneOfEach(kernelsOf(provider)),
});
