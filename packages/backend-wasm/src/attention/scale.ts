import type { AttentionProblem } from "@heed/core";

/** How a problem's scale is divided over the steps of the kernels. */
export interface ScaleFactors {
  /**
   * Factor of the queries: a power of two with the sign of the scale, or 0. A power of two rounds nothing,
   * and one below 1 keeps products of large queries and keys from overflowing under a small scale.
   */
  readonly query: number;
  /** Factor that turns dot products with such queries into scaled scores; > 0. */
  readonly score: number;
  /** Factor that turns what the softmax sees into base-2 logits; > 0 and finite in float32. */
  readonly logit: number;
  /** Factor that turns what the softmax sees into natural logits; > 0. */
  readonly natural: number;
  /**
   * Whether scaling and what follows it (cap, bias, ALiBi, score program) are steps of their own before the softmax, which
   * then sees natural logits. Otherwise it sees dot products.
   */
  readonly stepwise: boolean;
  /** Cap of the scaled scores; 0 for none. */
  readonly cap: number;
}

const leastExponent = -126;
const largestFloat32 = 2 ** 128 - 2 ** 104;

type ScaledProblem = Pick<AttentionProblem, "scale" | "softcap" | "bias" | "alibi" | "scoreMod">;

/** Pure: depends on the problem alone. */
export function scaleFactors(problem: ScaledProblem): ScaleFactors {
  const { scale, softcap, bias, alibi, scoreMod } = problem;
  const exponent = Math.min(0, Math.max(leastExponent, Math.floor(Math.log2(Math.abs(scale)))));
  const query = Math.sign(scale) * 2 ** exponent;
  const score = scale === 0 ? 1 : scale / query;
  const changed = softcap !== null || bias !== null || alibi || scoreMod !== null;
  const stepwise = changed || score * Math.LOG2E > largestFloat32;
  const natural = stepwise ? 1 : score;
  return { query, score, logit: natural * Math.LOG2E, natural, stepwise, cap: softcap ?? 0 };
}
