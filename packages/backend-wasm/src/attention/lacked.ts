import type { AttentionFeatureName } from "@heed/core";

/** Features of attention that no kernel here computes. */
export const lackedFeatures: readonly AttentionFeatureName[] = [
  "float16 keys and values",
  "int8 keys and values",
  "pages",
  "ragged batch",
  "query positions",
  "key positions",
  "mask program",
  "block mask",
  "score program",
];
