/** The suite where kernels are forced that its problems would not lead to here. */
import { webgpu } from "@heed/backend-webgpu";
import { asOnGpu } from "./devices.js";
import { everyRule, variation } from "./variation.js";

variation("as on a GPU", asOnGpu, [everyRule, "core/shape-l97"]);
variation("decode", webgpu({ kernel: "decode" }), [everyRule, "decode/"]);
variation("tile", webgpu({ kernel: "tile" }), [everyRule, "causal-window", "decode/gqa"]);
variation("quad", webgpu({ kernel: "quad" }), [everyRule, "causal-window", "core/shape-l197"]);
variation("quad without subgroups", webgpu({ kernel: "quad", features: { subgroups: false } }), [
  everyRule,
]);
variation("stream", webgpu({ kernel: "stream" }), [everyRule, "decode/gqa"]);
