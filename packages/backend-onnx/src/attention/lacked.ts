import type { AttentionFeatureName } from "@heed/core";

/** Features of attention that no graph here computes. */
export const lackedFeatures: readonly AttentionFeatureName[] = [
  "mask program",
  "block mask",
  "score program",
];

/** Features that exported models do not have. */
export const unexportedFeatures: readonly AttentionFeatureName[] = [
  ...lackedFeatures,
  "float16 keys and values",
  "int8 keys and values",
  "pages",
  "ragged batch",
  "query positions",
  "key positions",
];
