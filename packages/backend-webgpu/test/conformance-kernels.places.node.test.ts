/**
 * Kernels that the suite's problems would not lead to here, forced: its cases, and calls of our own that
 * are judged by numbers. All on one device, so that each kernel is compiled once.
 */
import { testBatchInvariance } from "./batch-invariant.js";
import { asOnGpu, onShared } from "./devices.js";
import { testNumbers } from "./numbers.js";
import { everyRule, variation } from "./variation.js";

/** Sums of values that overflow unless weights are scaled beforehand, which every kernel does by itself. */
const always = [
  ...["l9-sinks-weights", "l9-mask", "decode-gqa", "decode-long", "l67"].map(
    (name) => `largest-sums-${name}-float32`,
  ),
  "serving/largest-sums-int8",
  "serving/largest-sums-ragged",
];
/** All on one device: kernels that one variation has tested, the next need not. */
const computed = new Set<string>();
// These are the kernels that a GPU runs: the nearest that there is to a test on one.
variation("as on a GPU", asOnGpu, { computed, whole: true });
variation("decode", onShared({ kernel: "decode" }), { computed, always });
variation("tile", onShared({ kernel: "tile" }), { computed, always });
variation("quad", onShared({ kernel: "quad" }), { computed, always });
variation("quad without subgroups", onShared({ kernel: "quad" }, { subgroups: false }), {
  computed,
  always,
});
variation("stream", onShared({ kernel: "stream" }), { computed, always });
// Tiles that start at multiples of their size are all that differs; batch-invariant.ts tests them.
variation("batch-invariant", onShared({ batchInvariant: true }), {
  computed,
  always: [everyRule, "decode/gqa", "causal-window", ...always],
});
testNumbers();
testBatchInvariance();
