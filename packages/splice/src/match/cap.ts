import type { GraphNode } from "../graph/graph.js";
import type { LogitStep } from "./form.js";

/** The bound of a site's logits. */
export interface Capped {
  /** Bound of the logits; null where there is none, or a call decides it. */
  readonly softcap: number | null;
}

/** By the factor that follows tanh. */
export function capOfSteps(steps: readonly LogitStep[]): Capped {
  const tanh = steps.findIndex(({ kind }) => kind === "tanh");
  const after = tanh < 0 ? [] : steps.slice(tanh + 1);
  const by = after.find((step) => step.kind === "scale")?.by;
  return { softcap: typeof by === "number" ? by : null };
}

/** By the attribute of an operator. */
export function capOfOperator(node: GraphNode): Capped {
  return { softcap: node.float("softcap") || null };
}

/** The input of a call; none where logits are not capped. */
export function capInput(cap: number | undefined): { readonly softcap?: number } {
  return cap === undefined ? {} : { softcap: cap };
}
