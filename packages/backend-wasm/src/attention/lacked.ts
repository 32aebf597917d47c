import type { AttentionFeatureName } from "@heed/core";

/** Features of attention that no kernel here computes. */
export const lackedFeatures: readonly AttentionFeatureName[] = [
  "mask program",
  "block mask",
  "score program",
];
