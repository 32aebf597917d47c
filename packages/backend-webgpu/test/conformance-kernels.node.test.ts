/** The suite where kernels are forced that its problems would not lead to here. */
import { webgpu } from "@heed/backend-webgpu";
import { asOnGpu } from "./devices.js";
import { everyRule, variation } from "./variation.js";

variation("as on a GPU", asOnGpu, [everyRule, "core/shape-l97"]);
variation("decode", webgpu({ allowFallbackAdapter: true, kernel: "decode" }), [
  everyRule,
  "decode/",
]);
variation("tile", webgpu({ allowFallbackAdapter: true, kernel: "tile" }), [
  everyRule,
  "causal-window",
  "decode/gqa",
]);
variation("quad", webgpu({ allowFallbackAdapter: true, kernel: "quad" }), [
  everyRule,
  "causal-window",
  "core/shape-l197",
]);
variation(
  "quad without subgroups",
  webgpu({ allowFallbackAdapter: true, kernel: "quad", features: { subgroups: false } }),
  [everyRule],
);
variation("stream", webgpu({ allowFallbackAdapter: true, kernel: "stream" }), [
  everyRule,
  "decode/gqa",
]);
