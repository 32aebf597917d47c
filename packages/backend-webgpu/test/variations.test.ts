/**
 * The suite where decisions are forced that its problems would not lead to. By the cases at which
 * kernels differ, since compiling one takes a second or more on a software adapter;
 * `HEED_ALL_VARIATIONS=1` runs all of them in Node.
 */
import { webgpu } from "@heed/backend-webgpu";
import { asOnGpu, unrequested } from "./devices.js";
import { variation } from "./variation.js";

const { process } = globalThis as { process?: { versions?: { node?: string } } };
const inNode = process?.versions?.node !== undefined;

/** Every rule at once; without matrices, which have kernels of their own. */
const everything = "masks/everything-but-returns";

variation("default limits, no features", unrequested, [
  everything,
  "core/returns-all",
  "decode/gqa",
]);
// Which kernel is compiled does not depend on the runtime.
if (inNode) {
  variation("as on a GPU", asOnGpu, [everything, "core/shape-l97"]);
  variation("decode", webgpu({ kernel: "decode" }), [everything, "decode/"]);
  variation("tile", webgpu({ kernel: "tile" }), [everything, "causal-window", "decode/gqa"]);
  variation("quad", webgpu({ kernel: "quad" }), [everything, "causal-window", "core/shape-l197"]);
  variation("quad without subgroups", webgpu({ kernel: "quad", features: { subgroups: false } }), [
    everything,
  ]);
  variation("stream", webgpu({ kernel: "stream" }), [everything, "decode/gqa"]);
}
