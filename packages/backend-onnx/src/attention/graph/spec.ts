import { type AttentionProblem, type FloatDType, headsPerGroup, type ScoresKind } from "@heed/core";
import { type AxisOrder, canonicalOrder } from "../../layout/axis-order.js";
import type { Dimension } from "../../model/model.js";
import type { BroadcastAxes } from "./axes.js";
import { type ChunkSpec, chunkSpec, narrowestPanels } from "./chunks.js";
import { type LogitSpec, logitSpec } from "./logits.js";
import { type ProgramSpec, programSpec } from "./program-spec.js";
import type { StorageSpec } from "./storage.js";

/** All three as they are described. */
export const canonicalOrders: GraphSpec["order"] = {
  query: canonicalOrder,
  key: canonicalOrder,
  value: canonicalOrder,
};

/** Differences between the arithmetic of execution providers. */
export interface Arithmetic {
  /**
   * Whether ±∞ behaves as IEEE 754 says. WGSL lets an implementation assume that there is none, so
   * masking there is by predicates and finite sentinels.
   */
  readonly infinities: boolean;
  /**
   * Whether the operator And can be relied on. onnxruntime 1.30's WebGPU provider compiles a shader
   * for operands of which one has a last axis divisible by 4 and the other has not, and takes the
   * same one where it is the other way round: test/runtime-defects.node.test.ts. Graphs for it multiply
   * instead.
   */
  readonly and: boolean;
  /**
   * Whether the host looks at the outputs of a graph without a guard, and runs a guarded one if any is not finite: see
   * `leakSign`. Default false.
   */
  readonly looksAgain?: boolean;
}

/** Dtypes that an execution provider can store, and limits of its kernels' sums. */
export interface StorageTraits {
  /** Whether float32 sums over that many keys, in that many rows, have to be split into chunks. */
  readonly chunked?: (keyLength: number, rows: number) => boolean;
  /** Whether matrix products can be made to add up panels of keys: see `panelProduct`. */
  readonly panels?: boolean;
  /** Whether it can store float16; if not, the host widens inputs to float32 and narrows outputs. */
  readonly float16: boolean;
}

/** The dtype in which tensors of a dtype are given to a graph. */
export function storedDType(dtype: FloatDType, { float16 }: StorageTraits): FloatDType {
  return dtype === "float16" && !float16 ? "float32" : dtype;
}

/** Which keys a query row sees, beside `mask`: a range of them, since every position rule gives one. */
export interface BandSpec {
  /** Whether rows have a first key that they see. */
  readonly first: boolean;
  /** Whether rows have a last key that they see. */
  readonly last: boolean;
  /** Whether rows of a batch differ in that. */
  readonly perRow: boolean;
  /** Whether a row may see no key at all. */
  readonly emptyRows: boolean;
  /** Set if there are as many rows as keys and row i sees no key after key i; null otherwise. */
  readonly diagonal: DiagonalSpec | null;
  /** Whether keys are compared by their place in the order of positions, and not by their index. */
  readonly ranked: boolean;
}

export interface DiagonalSpec {
  /** Keys that a row sees, its own the last of them; null: all up to its own. */
  readonly keys: number | null;
}

/**
 * Everything that a graph depends on: a problem without its lengths, which are symbolic, so that a
 * session serves all of them.
 */
export interface GraphSpec {
  readonly dtype: FloatDType;
  readonly queryHeads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly valueDim: number;
  readonly mask: BroadcastAxes | null;
  readonly bias: { readonly dtype: FloatDType; readonly axes: BroadcastAxes } | null;
  /** Programs and block mask; null if there are none. */
  readonly programs: ProgramSpec | null;
  readonly band: BandSpec | null;
  readonly guard: HiddenGuard;
  readonly alibi: boolean;
  /** Whether positions of ALiBi are given in two parts, since their numbers are too large for float32. */
  readonly far: boolean;
  readonly sinks: boolean;
  readonly logits: LogitSpec;
  readonly logSumExp: boolean;
  readonly weights: boolean;
  readonly scores: ScoresKind | null;
  /** Whether scores are 0 from a length on, given for each batch. */
  readonly scoresEnd: boolean;
  /** How sums over keys are split; null if they are not. */
  readonly chunks: ChunkSpec | null;
  readonly order: { readonly query: AxisOrder; readonly key: AxisOrder; readonly value: AxisOrder };
  /** How the batch is taken from the call's tensors; null where they are the batch. */
  readonly storage: StorageSpec | null;
  /**
   * Whether batch entries have heads of their own: sinks, slopes of ALiBi and the numbers of heads that programs read are
   * given for each entry.
   */
  readonly ownHeads: boolean;
}

/**
 * Protection of the results against hidden keys and values that are NaN or ±∞. `"none"`: nothing;
 * −∞ is added to a logit to hide a key, and a weight of 0 hides its value. `"rows"`: logits are chosen
 * and not added to, and values that no row of the batch sees are replaced by 0. `"elements"`: all
 * values that are not finite are, and rows that do see one are told so, at the price of two more
 * products.
 */
export type HiddenGuard = "none" | "rows" | "elements";

/** How a graph treats positions, and hidden values that are not finite. */
export interface PositionSpec {
  readonly band: BandSpec | null;
  readonly guard: HiddenGuard;
  /** See `GraphSpec.far`. */
  readonly far?: boolean;
}

/** Whether query heads share key heads. */
export function isGrouped(spec: Pick<GraphSpec, "queryHeads" | "kvHeads">): boolean {
  return headsPerGroup(spec) !== 1;
}

/** The graph that a problem needs, given what positions and lengths are found to hide. */
export function graphSpec(
  problem: AttentionProblem,
  { float16, chunked, panels = false }: StorageTraits,
  { band, guard, far = false }: PositionSpec,
  order: GraphSpec["order"] = canonicalOrders,
  storage: StorageSpec | null = null,
  ownHeads = false,
): GraphSpec {
  const { queryHeads, kvHeads, headDim, valueDim, mask, bias, keyLength } = problem;
  const rows = problem.queryLength * headsPerGroup(problem);
  const stored = (dtype: FloatDType): FloatDType => storedDType(dtype, { float16 });
  const { alibi, sinks, returns } = problem;
  const axes = (shape: readonly number[]): BroadcastAxes =>
    shape.map((size) => size !== 1) as unknown as BroadcastAxes;
  return {
    dtype: stored(problem.dtype),
    queryHeads,
    kvHeads,
    headDim,
    valueDim,
    mask: mask && axes(mask.shape),
    bias: bias && { dtype: stored(bias.dtype), axes: axes(bias.shape) },
    programs: programSpec(problem),
    band,
    guard,
    alibi,
    far: alibi && far,
    sinks,
    logits: logitSpec(problem),
    ...returns,
    scoresEnd: returns.scores !== null && problem.kvLengths,
    chunks:
      problem.dtype !== "float64" && chunked?.(keyLength, rows)
        ? chunkSpec(keyLength, rows, panels && valueDim >= narrowestPanels)
        : null,
    order,
    storage,
    ownHeads,
  };
}

/** Sizes of an input with a number for each head, or for each head of each batch entry. */
export function headDims({ ownHeads, queryHeads }: GraphSpec): readonly Dimension[] {
  return [ownHeads ? "batch" : 1, queryHeads, 1, 1];
}
