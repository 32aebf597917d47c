import type { ReadVector } from "@heed/conformance";
import type { AttentionInputs, FloatDType, HostTensor, Work } from "@heed/core";
import type { CaseTiles, MeasuredOperation } from "../operations/operation.js";
import type { WorkloadShape } from "./shape.js";

/** Something to measure: a call of an operation, by a model's sizes or by tensors recorded from it. */
export interface Workload<Inputs = unknown> {
  /** Stable; names it on the command line and in result files. */
  readonly id: string;
  /** The workload in one line. */
  readonly title: string;
  /** The origin of the sizes or of the tensors. */
  readonly source: string;
  readonly suite: Suite;
  readonly operation: MeasuredOperation<Inputs>;
  /** Its place in a series of cases that differ in one size. */
  readonly series?: Series | undefined;
  /** The shape of attention that data is generated for; left out for recorded tensors and other operations. */
  readonly shape?: WorkloadShape | undefined;
  /** About what a call costs; for choosing among workloads. Reports count the call itself. */
  readonly flops: number;
  /**
   * Builds or loads the call.
   *
   * @param read where recorded tensors are read from; the conformance package's own folder if left out
   */
  load(dtype: FloatDType, read?: ReadVector): Promise<Inputs>;
  /** The work of the call, where its operation does not count it exactly. */
  work?(inputs: Inputs): Work;
  /** Tiles of the call's scores, where that is what the case is about; null where every query sees every key. */
  tiles?(inputs: Inputs): CaseTiles | null;
}

/** A workload of the operation attention. */
export type AttentionWorkload = Workload<AttentionInputs<HostTensor>>;

/** The size in which the cases of a series differ. */
export const seriesAxes = ["length", "cache", "head size", "heads", "batch", "parts"] as const;
export type SeriesAxis = (typeof seriesAxes)[number];

/** A case's place among others that differ from it in one size alone: a point on a curve. */
export interface Series {
  /** The same for all of them. */
  readonly name: string;
  readonly axis: SeriesAxis;
  /** This one's size. */
  readonly at: number;
}

/**
 * `real`: tensors recorded from trained models. `models`: sizes of published models. `speed`:
 * shapes that show one property each (long, decode, causal, window). `decode`: whole steps through a cache.
 * `sparse`: masks and scores as programs. `rotary`, `merge`: those operations, in models' sizes. `sweep-…`: one size varies.
 */
export const suites = [
  "real",
  "models",
  "speed",
  "decode",
  "sparse",
  "rotary",
  "merge",
  "sweep-length",
  "sweep-cache",
  "sweep-head-size",
  "sweep-heads",
  "sweep-batch",
] as const;

export type Suite = (typeof suites)[number] | (typeof ownSuites)[number];

/** Suites of what a user gives: shapes, and the attention of a model. */
export const ownSuites = ["custom", "model"] as const;
