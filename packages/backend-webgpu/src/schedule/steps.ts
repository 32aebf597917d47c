import type { AttentionProblem } from "@heed/core";
import type { Capabilities } from "../capabilities.js";
import type { Choice } from "../choose.js";
import type { Kernel } from "../kernels/kernel.js";
import type { Params } from "../params.js";
import type { BindingLimits, Operand } from "./regions.js";

/** What is to be scheduled. */
export interface Task {
  readonly problem: AttentionProblem;
  readonly choice: Choice;
  readonly capabilities: Capabilities;
}

/** Buffers by what they hold; those with `32` are float32 copies of float16 tensors. */
export type BufferName =
  | "query"
  | "key"
  | "value"
  | "mask"
  | "bias"
  | "output"
  | "logSumExp"
  | "weights"
  | "scores"
  | "partials"
  | "partialStatistics"
  | `${"query" | "key" | "value" | "bias" | "output" | "weights" | "scores"}32`;

export interface BoundWindow {
  /** Null: nothing is read or written, and any buffer does. */
  readonly buffer: BufferName | null;
  readonly start: number;
  readonly size: number;
}

/** One dispatch. */
export interface Step {
  readonly kernel: Kernel;
  readonly params: Params;
  /** In the order of the kernel's bindings; rules are not among them. */
  readonly windows: readonly BoundWindow[];
  readonly grid: readonly [number, number, number];
  /** Roughly how many operations it takes. */
  readonly work: number;
}

/** Dispatches in order, of a whole run or of a stage of it. */
export interface Schedule {
  readonly steps: readonly Step[];
  /** Bytes of each buffer that is needed beside inputs and outputs. */
  readonly workspace: ReadonlyMap<BufferName, number>;
}

/** Where the call's tensors lie. */
export interface Layouts {
  readonly query: Operand;
  readonly key: Operand;
  readonly value: Operand;
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
  readonly mask: Stored | null;
  readonly bias: Stored | null;
}

/** Query heads that share a head of keys and values. */
export function groupOf({ queryHeads, kvHeads }: AttentionProblem): number {
  return kvHeads === 0 ? 1 : queryHeads / kvHeads;
}

export function bindingLimits({ limits }: Capabilities): BindingLimits {
  return {
    bytes: limits.maxStorageBufferBindingSize,
    alignment: limits.minStorageBufferOffsetAlignment,
  };
}
