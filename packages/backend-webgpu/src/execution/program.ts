import { type Bound, type OperandSpec, type PlanDescription, rowMajorStrides } from "@heed/core";
import type { Layouts, Schedule } from "./steps.js";

/** A problem of any operation as a device executes it: what a plan runs. */
export interface Program<B extends Bound = Bound> {
  readonly description: PlanDescription;
  /** Names of the tensors that are read, in the order of `Bound.reads`. */
  readonly reads: readonly string[];
  /** The tensors that are written: row-major, newly made by each run. */
  readonly writes: readonly OperandSpec[];
  /**
   * Whether it writes to tensors that are read: then runs are submitted between all those that are called
   * before and after.
   */
  readonly updates?: boolean;
  /** For inputs that are row-major from the start of their buffers. */
  readonly dense: { readonly layouts: Layouts; readonly schedule: Schedule };
  /**
   * Names one of several schedules that a call may need, for what neither the problem nor layouts say. Left out: there
   * is one, "", which is that of `dense`.
   */
  variantOf?(bound: B): string;
  /** The dispatches for other layouts. @throws UnsupportedError where the device cannot bind them */
  schedule(layouts: Layouts, variant?: string): Schedule;
  /** Bytes that {@link encode} gives; 0 for no `rules`. */
  readonly rulesBytes: number;
  /** A call's large data, in a buffer that a binding of its own reads. */
  readonly kept?: {
    /** Name of the buffer. */
    readonly name: string;
    /** The same object as long as calls give the same; it is not written to afterwards. Called before `encode`. */
    words(bound: B): Uint32Array;
  };
  /** A call's small data, as the kernels' binding `rules` reads it. Shares nothing with the call. */
  encode(bound: B): Uint8Array;
}

/** Row-major layouts for the operands that are read. */
export function denseLayouts(operands: readonly OperandSpec[]): Layouts {
  const reads = operands.filter(({ access }) => access === "read");
  return new Map(
    reads.map(({ name, dtype, shape }) => [
      name,
      { dtype, shape, strides: rowMajorStrides(shape), offset: 0 },
    ]),
  );
}
