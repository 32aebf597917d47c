import {
  type AttentionFeatureName,
  type AttentionProblem,
  attentionFeaturesOf,
  type FloatDType,
  type SupportReason,
  workOf,
} from "@heed/core";

/** Features that limits other than a list of features are about, or that every peer has. */
const elsewhere: ReadonlySet<AttentionFeatureName> = new Set<AttentionFeatureName>([
  "float32",
  "float16",
  "float64",
  "grouped-query heads",
  "cross-attention",
  "queryOffset",
]);

export interface PeerLimits {
  readonly dtypes: readonly FloatDType[];
  /** Features that it has, of those that not every peer has. */
  readonly features: readonly AttentionFeatureName[];
  /** Whether it computes problems without any batch, head, query or key. */
  readonly empty?: boolean;
  /**
   * Positions that it can be told: `"any"`, query 0 at key 0 (`"start"`), or that and queries that are the
   * last of the keys (`"ends"`).
   */
  readonly positions: "any" | "start" | "ends";
  /** Multiply-adds, as two each, past which a call would hold everybody else up. */
  readonly mostFlops?: number;
  /** Bytes of one float32 score matrix over all heads past which it would run out of memory. */
  readonly mostScoreBytes?: number;
}

/** Why a peer does not compute a problem; empty where it does. */
export function reasonsWithin(
  peer: string,
  problem: AttentionProblem,
  limits: PeerLimits,
): SupportReason[] {
  const reasons: SupportReason[] = [];
  if (!limits.dtypes.includes(problem.dtype)) {
    reasons.push({ code: "dtype", message: `${peer} is not driven with ${problem.dtype} here` });
  }
  const { batch, queryHeads, kvHeads, queryLength, keyLength } = problem;
  if (!limits.empty && batch * queryHeads * kvHeads * queryLength * keyLength === 0) {
    reasons.push({ code: "empty", message: `${peer} computes nothing that is empty` });
  }
  for (const feature of attentionFeaturesOf(problem)) {
    if (elsewhere.has(feature) || limits.features.includes(feature)) continue;
    reasons.push({ code: feature, message: `${peer} has no ${feature}` });
  }
  if (!knowsPositions(problem, limits)) {
    reasons.push({ code: "queryOffset", message: `${peer} has no choice of query positions` });
  }
  // The code below asks for the tables of a call that has a feature which peers lack.
  if (reasons.length > 0) return reasons;
  const { flops } = workOf(problem, {
    offsets: new Int32Array(problem.batch),
    kvLengths: new Int32Array(problem.batch).fill(problem.keyLength),
  });
  if (limits.mostFlops !== undefined && flops > limits.mostFlops) {
    reasons.push({
      code: "size",
      message: `${peer} would take too long: over ${limits.mostFlops / 1e9} GFLOP`,
    });
  }
  const scoreBytes =
    4 * problem.batch * problem.queryHeads * problem.queryLength * problem.keyLength;
  if (limits.mostScoreBytes !== undefined && scoreBytes > limits.mostScoreBytes) {
    reasons.push({
      code: "memory",
      message: `${peer} would not have room for ${Math.round(scoreBytes / 2 ** 20)} MiB of scores, several times`,
    });
  }
  return reasons;
}

/** Query row 0 at key 0 is what a problem with equal lengths means by default. */
function knowsPositions(
  { positions, queryLength, keyLength }: AttentionProblem,
  limits: PeerLimits,
): boolean {
  if (positions === "none" || limits.positions === "any") return true;
  if (positions === "bottom-right") return limits.positions === "ends";
  return positions === "fixed" && queryLength === keyLength;
}
