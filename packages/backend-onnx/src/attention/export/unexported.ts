import type { AttentionFeatureName } from "@heed/core";

/** Features that exported models do not have. */
export const unexportedFeatures: readonly AttentionFeatureName[] = [
  "mask program",
  "block mask",
  "score program",
  "float16 keys and values",
  "int8 keys and values",
  "pages",
  "ragged batch",
  "query positions",
  "key positions",
];
