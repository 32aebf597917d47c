import type { AttentionProblem } from "@heed/core";
import type { Capabilities } from "../../capabilities.js";
import type { BindingLimits, Operand } from "../../execution/regions.js";
import type { Choice } from "../choose.js";
import type { ProgramLayout } from "../programs/layout.js";

/** A problem to be scheduled, and the kernels chosen for it. */
export interface Task {
  readonly problem: AttentionProblem;
  readonly choice: Choice;
  readonly capabilities: Capabilities;
  /** Places of programs in a call's data; null without any. */
  readonly programs: ProgramLayout | null;
  /** Whether a block mask beside a mask program has to be looked at. */
  readonly blocks: boolean;
}

/** Buffers by what they hold; those with `32` are float32 copies of float16 tensors. */
export type BufferName =
  | "query"
  | "key"
  | "value"
  | "keyScales"
  | "valueScales"
  | "mask"
  | "bias"
  | "output"
  | "logSumExp"
  | "weights"
  | "scores"
  | "partials"
  | "partialStatistics"
  /** Scales and mask together. */
  | "beside"
  | `${"query" | "key" | "value" | "bias" | "output" | "weights" | "scores"}32`;

/** The call's tensors as operands of four axes. */
export interface AttentionOperands {
  readonly query: Operand;
  readonly key: Operand;
  readonly value: Operand;
  /** Beside int8 keys and values. */
  readonly keyScales: Operand | null;
  readonly valueScales: Operand | null;
  readonly mask: Operand | null;
  readonly bias: Operand | null;
}

/** Something that kernels read or write, and the buffer that holds it. */
export interface Stored {
  readonly buffer: BufferName;
  readonly operand: Operand;
}

/** The call's tensors as kernels read them. */
export interface StoredInputs {
  readonly query: Stored;
  readonly key: Stored;
  readonly value: Stored;
  readonly keyScales: Stored | null;
  readonly valueScales: Stored | null;
  readonly mask: Stored | null;
  readonly bias: Stored | null;
  /** Words of the buffer that has the scales and the mask together; 0 where each has its own. */
  readonly besideWords: number;
}

export function bindingLimits({ limits }: Capabilities): BindingLimits {
  return {
    bytes: limits.maxStorageBufferBindingSize,
    alignment: limits.minStorageBufferOffsetAlignment,
  };
}
