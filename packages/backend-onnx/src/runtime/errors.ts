import { HeedError } from "@heed/core";

/** ONNX Runtime failed at what it had accepted: creating a session of a model, or running it. */
export class OnnxRuntimeError extends HeedError {
  override readonly name: string = "OnnxRuntimeError";
  readonly code = "onnx-runtime";
  /** Advice on what to do. */
  readonly hint: string;

  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(`${message} (${hint})`, options);
    this.hint = hint;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
