import { type AttentionFeatureName, attentionFeatureNames } from "@heed/core";

/** A row of the table of support. */
export type FeatureName = AttentionFeatureName | "ONNX Attention";

/** Rows of the table of support: core's features, and the recorded vectors of ONNX's operator. */
export const featureNames: readonly FeatureName[] = [...attentionFeatureNames, "ONNX Attention"];
