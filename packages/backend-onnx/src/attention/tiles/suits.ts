import type { AttentionProblem } from "@heed/core";
import type { ProviderTraits } from "../../runtime/traits.js";
import { isEmpty } from "../empty.js";
import { wantsAllKeys } from "../stored/groups.js";

/** Whether calls of a problem may be computed by their visited blocks alone: they have a block mask, and nothing is in the way. */
export function suitsTiles(problem: AttentionProblem, traits: ProviderTraits): boolean {
  return problem.blockMask !== null && !isEmpty(problem) && obstacle(problem, traits) === null;
}

/** The reason why all logits of calls of a problem are computed, whatever their block mask says; null if there is none. */
function obstacle(problem: AttentionProblem, { infinities, provider }: ProviderTraits) {
  if (!infinities) return `provider ${provider} would be handed each visited block anew`;
  return wantsAllKeys(problem) ? "weights and scores have a column for each key" : null;
}

/** Notes of a plan on what its calls' block masks save. */
export function tileNotes(problem: AttentionProblem, traits: ProviderTraits): readonly string[] {
  if (problem.blockMask === null) return [];
  const reason = obstacle(problem, traits);
  return [
    reason === null
      ? "the blocks that a block mask leaves are gathered and computed alone, unless it leaves so many that all logits take less time"
      : `all logits are computed, and the block mask hides some: ${reason}`,
  ];
}
