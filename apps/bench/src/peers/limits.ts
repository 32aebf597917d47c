import {
  type AttentionProblem,
  type FloatDType,
  type Support,
  type SupportReason,
  workOf,
} from "@heed/core";

/** Features of a problem that a peer may or may not have. */
export type Feature =
  | "mask"
  | "bias"
  | "causal"
  | "window"
  | "kvLengths"
  | "alibi"
  | "sinks"
  | "softcap"
  | "valueDim"
  | "returns";

export interface PeerLimits {
  /** As the peer is called in its reasons. */
  readonly peer: string;
  readonly dtypes: readonly FloatDType[];
  readonly features: readonly Feature[];
  /** Multiply-adds, as two each, past which a call would hold everybody else up. */
  readonly mostFlops?: number;
  /** Whether queries may also be the last of more keys. */
  readonly bottomRight?: boolean;
  /** Bytes of one float32 score matrix over all heads past which it would run out of memory. */
  readonly mostScoreBytes?: number;
}

const present: Readonly<Record<Feature, (problem: AttentionProblem) => boolean>> = {
  mask: (p) => p.mask !== null,
  bias: (p) => p.bias !== null,
  causal: (p) => p.causal,
  window: (p) => p.window !== null,
  kvLengths: (p) => p.kvLengths,
  alibi: (p) => p.alibi,
  sinks: (p) => p.sinks,
  softcap: (p) => p.softcap !== null,
  valueDim: (p) => p.valueDim !== p.headDim,
  returns: (p) => p.returns.logSumExp || p.returns.weights || p.returns.scores !== null,
};

/**
 * What a peer says to a problem. Peers that know positions know one rule only: query row 0 at key 0,
 * which is what a problem with equal lengths means by default.
 */
export function supportWithin(problem: AttentionProblem, limits: PeerLimits): Support {
  const reasons: SupportReason[] = [];
  const { peer } = limits;
  if (!limits.dtypes.includes(problem.dtype)) {
    reasons.push({ code: "dtype", message: `${peer} is not driven with ${problem.dtype} here` });
  }
  for (const [feature, has] of Object.entries(present)) {
    if (has(problem) && !limits.features.includes(feature as Feature)) {
      reasons.push({ code: feature, message: `${peer} has no ${feature}` });
    }
  }
  const aligned =
    (problem.positions === "fixed" && problem.queryLength === problem.keyLength) ||
    (problem.positions === "bottom-right" && limits.bottomRight === true);
  if (problem.positions !== "none" && !aligned) {
    reasons.push({ code: "queryOffset", message: `${peer} has no choice of query positions` });
  }
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
  return reasons.length === 0 ? { ok: true } : { ok: false, reasons };
}
