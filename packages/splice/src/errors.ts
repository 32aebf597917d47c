import { HeedError } from "@heed/core";

/**
 * Reasons why a file cannot be spliced. `"truncated"`: it ends in the middle. `"not-onnx"`: it is no ONNX model.
 * `"opset"`: it is written for operators of another version. `"functions"`: it defines operators of its own.
 * `"no-attention"`: no attention was found. `"external-data"`: weights outside the file are missing.
 * `"not-tensors"`: what would cross between pieces is no tensor.
 */
export type SpliceReason =
  | "truncated"
  | "not-onnx"
  | "opset"
  | "functions"
  | "no-attention"
  | "external-data"
  | "not-tensors";

/** A model cannot be spliced. */
export class SpliceError extends HeedError {
  override readonly name: string = "SpliceError";
  readonly code = "splice";
  readonly reason: SpliceReason;

  constructor(reason: SpliceReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
