import { generated } from "./generated.js";
import type { Workload } from "./workload.js";

const source = "chosen to show one property each; see the title";

/**
 * Shapes that show one property each: what length, few queries, causal and window cost. Medium
 * prefill is among the models (bert-base-512, vit-b16-197).
 */
export const speedWorkloads: readonly Workload[] = [
  generated({
    id: "h4-l2048-d64",
    title: "long prefill",
    source,
    suite: "speed",
    shape: { queryHeads: 4, queryLength: 2048, headDim: 64 },
  }),
  generated({
    id: "h4-l2048-d64-causal",
    title: "long prefill, causal: half the pairs of h4-l2048-d64",
    source,
    suite: "speed",
    shape: { queryHeads: 4, queryLength: 2048, headDim: 64, causal: true },
  }),
  generated({
    id: "h8-l1024-d128-causal",
    title: "causal prefill, wide heads",
    source,
    suite: "speed",
    shape: { queryHeads: 8, queryLength: 1024, headDim: 128, causal: true },
  }),
  generated({
    id: "h32-lq1-lk2048-d128",
    title: "decode: one query a head, keys and values read once",
    source,
    suite: "speed",
    shape: { queryHeads: 32, queryLength: 1, keyLength: 2048, headDim: 128 },
  }),
  generated({
    id: "h32-lq4-lk2048-d128",
    title: "few queries, as in speculative decoding",
    source,
    suite: "speed",
    shape: { queryHeads: 32, queryLength: 4, keyLength: 2048, headDim: 128 },
  }),
  generated({
    id: "h1-l8192-d64",
    title: "very long, full: what a window is compared with",
    source,
    suite: "speed",
    shape: { queryHeads: 1, queryLength: 8192, headDim: 64 },
  }),
  generated({
    id: "h1-l8192-d64-window256",
    title: "very long, causal window of 256 keys",
    source,
    suite: "speed",
    shape: {
      queryHeads: 1,
      queryLength: 8192,
      headDim: 64,
      causal: true,
      window: { left: 255 },
    },
  }),
];
