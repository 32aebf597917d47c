import type { AttentionInputs, FloatDType, HostTensor } from "@heed/core";

/** Sizes and rules of a workload whose data are generated. */
export interface WorkloadShape {
  readonly batch: number;
  readonly queryHeads: number;
  readonly kvHeads: number;
  readonly queryLength: number;
  readonly keyLength: number;
  readonly headDim: number;
  readonly valueDim: number;
  readonly causal?: boolean;
  /** Both ends inclusive, as in a call. */
  readonly window?: { readonly left?: number; readonly right?: number };
  readonly softcap?: number;
}

/** Something to measure: a model's attention, by its sizes or by tensors recorded from it. */
export interface Workload {
  /** Stable; names it on the command line and in result files. */
  readonly id: string;
  /** One line on what it is. */
  readonly title: string;
  /** Where the sizes or the tensors come from. */
  readonly source: string;
  readonly suite: Suite;
  /** About what a call costs; for choosing among workloads. Reports count the call itself. */
  readonly flops: number;
  /** Builds or loads the call. */
  load(dtype: FloatDType): Promise<AttentionInputs<HostTensor>>;
}

/**
 * `real`: tensors recorded from trained models. `models`: sizes of published models. `speed`:
 * shapes that show one property each (long, decode, causal, window). `custom`: the user's.
 */
export type Suite = "real" | "models" | "speed" | "custom";

export const suites: readonly Suite[] = ["real", "models", "speed"];
