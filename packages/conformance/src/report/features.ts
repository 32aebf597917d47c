import { type AttentionFeatureName, attentionFeatureNames } from "@heed/core";
import { type OperationName, operationNames } from "../operations/names.js";

/** A row of the table of support. */
export type FeatureName = AttentionFeatureName | "ONNX Attention" | `operation ${OperationName}`;

/**
 * Rows of the table of support: core's features of attention, the recorded vectors of ONNX's operator, and
 * every other operation.
 */
export const featureNames: readonly FeatureName[] = [
  ...attentionFeatureNames,
  "ONNX Attention",
  ...operationNames.map(featureOfOperation),
];

/** The row of an operation beside attention. */
export function featureOfOperation<Name extends OperationName>(name: Name): `operation ${Name}` {
  return `operation ${name}`;
}
