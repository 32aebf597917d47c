import { attention } from "../attention/operation.js";
import type { AttentionProblem } from "../attention/problem.js";
import type { SupportReason } from "../errors.js";
import type { Problem } from "../operation/problem.js";
import { type BackendRecommendation, rankBackends, ruleFor } from "./recommendation.js";
import type { Candidate, Strategy } from "./strategy.js";

/** Chooses by a recommendation, such as the benchmark writes: the order that it gives for a problem. */
export class RecommendedStrategy implements Strategy {
  readonly #recommendation: BackendRecommendation;

  /** @param recommendation one that was checked */
  constructor(recommendation: BackendRecommendation) {
    this.#recommendation = recommendation;
  }

  rank<C extends Candidate>(problem: Problem, candidates: readonly C[]): readonly C[] {
    if (problem.operation !== attention.name) return candidates;
    const ranked = candidates.map((candidate) => ({
      candidate,
      name: candidate.name,
      threads: candidate.info?.threads ?? null,
    }));
    const order = rankBackends(this.#recommendation, problem as AttentionProblem, ranked);
    return order.map(({ candidate }) => candidate);
  }

  why(problem: Problem, chosen: Candidate): string | undefined {
    if (problem.operation !== attention.name) return undefined;
    const rule = ruleFor(this.#recommendation, problem as AttentionProblem);
    if (!rule?.prefer.some(({ backend }) => backend === chosen.name)) return undefined;
    const { measuredOn } = this.#recommendation;
    return `preferred by the recommendation${measuredOn ? `, measured on ${measuredOn}` : ""}`;
  }

  whyNot(_problem: Problem, _candidate: Candidate, chosen: Candidate | undefined): SupportReason {
    return {
      code: "lower-priority",
      message: `could run it, but comes after ${chosen?.name} in the recommendation`,
    };
  }
}
