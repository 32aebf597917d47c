/**
 * Kernels that the suite's problems would not lead to here, forced: its cases, and calls of our own that
 * are judged by numbers. All on one device, so that each kernel is compiled once.
 */
import { testBatchInvariance } from "./batch-invariant.js";
import { asOnGpu, onShared } from "./devices.js";
import { testNumbers } from "./numbers.js";
import { everyRule, variation } from "./variation.js";

// Beside every rule: sizes, decoding with its splits and merges, hidden NaN, rows that see nothing.
const common = [everyRule, "decode/", "poison-NaN", "empty-rows", "core/returns-all"];
variation("as on a GPU", asOnGpu, [...common, "core/shape-l97"]);
variation("decode", onShared({ kernel: "decode" }), [everyRule, "decode/", "poison-NaN"]);
variation("tile", onShared({ kernel: "tile" }), [
  everyRule,
  "causal-window",
  "decode/gqa",
  "sinks",
]);
variation("quad", onShared({ kernel: "quad" }), [everyRule, "causal-window", "core/shape-l197"]);
variation("quad without subgroups", onShared({ kernel: "quad" }, { subgroups: false }), [
  everyRule,
]);
variation("stream", onShared({ kernel: "stream" }), [everyRule, "decode/gqa"]);
variation("batch-invariant", onShared({ batchInvariant: true }), [everyRule, "decode/gqa"]);
testNumbers();
testBatchInvariance();
