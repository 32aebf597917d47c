import type { AttentionOutputs, AttentionProblem, BoundAttention, KernelPlan } from "@heed/core";
import type { OnnxContext } from "../context.js";
import { suitsTiles } from "./tiles/suits.js";
import { VisitedTiles } from "./tiles/visited.js";
import { type MakePlan, mayBeWindow, WindowCalls } from "./window-calls.js";

type Plan = KernelPlan<BoundAttention, AttentionOutputs>;

/** Share of the time of all logits up to which visited blocks take less than a window, whose operator gathers nothing. */
const lessThanWindow = 0.3;

/**
 * The plan of a problem, and before it ways to compute a call without all of its logits: by the blocks that its block mask
 * leaves, or with a window for its mask program.
 *
 * @param whole the problem's plan, with all logits
 * @param makePlan makes the plans of calls with a window; left out where there are to be none
 * @returns `whole` itself where no call can be computed with less
 */
export function sparing(
  problem: AttentionProblem,
  whole: Plan,
  context: OnnxContext,
  makePlan?: MakePlan,
): Plan {
  const tiles = suitsTiles(problem, context.loaded.traits)
    ? new VisitedTiles(problem, context)
    : null;
  const windows =
    makePlan && mayBeWindow(problem) ? new WindowCalls(problem, context, makePlan) : null;
  if (tiles === null && windows === null) return whole;
  return {
    description: whole.description,
    run: (bound) => {
      const share = tiles?.shareOf(bound) ?? null;
      if (tiles && share !== null && share <= lessThanWindow) return tiles.run(bound);
      const windowed = windows?.run(bound);
      if (windowed) return windowed;
      return tiles && share !== null ? tiles.run(bound) : whole.run(bound);
    },
    dispose: () => {
      whole.dispose?.();
      tiles?.dispose();
      windows?.dispose();
    },
  };
}
