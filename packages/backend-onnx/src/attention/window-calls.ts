import {
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionProblem,
  attention,
  type BoundAttention,
  describeProblem,
  type KernelPlan,
} from "@heed/core";
import { type ProgramWindow, windowOfProgram } from "@heed/core/program";
import type { OnnxContext } from "../context.js";
import { decideAttention } from "./decide.js";
import type { GraphKind } from "./graph/choose.js";

type Plan = KernelPlan<BoundAttention, AttentionOutputs>;
/** Makes the plan of another problem. */
export type MakePlan = (problem: AttentionProblem, kind: GraphKind) => Promise<Plan>;

/** A plan of the same calls with a window in place of their program. */
interface KnownPlan {
  readonly problem: AttentionProblem;
  /** null if the provider refuses the problem. */
  readonly plan: Promise<Plan> | null;
}

/**
 * Whether the mask programs of a problem's calls may say what a window says. Positions that are data have a window of
 * their own for each call.
 */
export function mayBeWindow({ maskMod, positions }: AttentionProblem): boolean {
  return maskMod !== null && positions !== "data";
}

/**
 * Calls whose mask program says what causal and a window say: they are computed as calls that have these, for which
 * onnxruntime has an operator that works in tiles, and graphs without a matrix of the program's values.
 */
export class WindowCalls {
  readonly #problem: AttentionProblem;
  readonly #context: OnnxContext;
  readonly #makePlan: MakePlan;
  #latest: { readonly key: string; readonly window: ProgramWindow | null } | null = null;
  #known: KnownPlan | null = null;

  /** @param problem that `mayBeWindow` */
  constructor(problem: AttentionProblem, context: OnnxContext, makePlan: MakePlan) {
    this.#problem = problem;
    this.#context = context;
    this.#makePlan = makePlan;
  }

  /** Computes a call, or returns null where its program is no window, or the provider refuses the call as a window. */
  run(bound: BoundAttention): Promise<AttentionOutputs> | null {
    const { blockMask } = bound;
    // Blocks that another program or the caller has made hide keys of their own.
    if (blockMask !== null && !blockMask.skipsProgram) return null;
    const window = this.#windowOf(bound);
    const inputs = window && windowInputs(bound, window);
    if (inputs === null) return null;
    const problem = describeProblem(inputs);
    if (this.#known?.problem !== problem) this.#plan(problem);
    const plan = this.#known?.plan;
    if (!plan) return null;
    return plan.then((ready) => ready.run(attention.bind(problem, inputs) as BoundAttention));
  }

  dispose(): void {
    const { plan } = this.#known ?? {};
    this.#known = null;
    // A plan that could not be made has nothing to dispose; the call that asked for it was told.
    plan?.then(
      (ready) => ready.dispose?.(),
      () => {},
    );
  }

  #plan(problem: AttentionProblem): void {
    this.dispose();
    const verdict = decideAttention(problem, this.#context.loaded.traits);
    const plan = "decision" in verdict ? this.#makePlan(problem, verdict.decision) : null;
    this.#known = { problem, plan };
  }

  #windowOf({ maskMod, offsets }: BoundAttention): ProgramWindow | null {
    const { queryLength, keyLength } = this.#problem;
    if (maskMod === null || queryLength === 0 || keyLength === 0) return null;
    const key = `${offsets} ${maskMod.scalars}`;
    if (this.#latest?.key !== key || maskMod.tables.length > 0) {
      const query = {
        lo: offsets.reduce((a, b) => Math.min(a, b)),
        hi: offsets.reduce((a, b) => Math.max(a, b)) + queryLength - 1,
      };
      const window = windowOfProgram(maskMod, query, { lo: 0, hi: keyLength - 1 });
      this.#latest = { key, window };
    }
    return this.#latest.window;
  }
}

/** The call with a window in place of its program; null where a window cannot say it. */
function windowInputs(
  { inputs, problem, offsets }: BoundAttention,
  { left, right }: ProgramWindow,
): AttentionInputs | null {
  const narrower = (a: number | null, b: number | null | undefined): number | null =>
    a === null ? (b ?? null) : Math.min(a, b ?? a);
  const before = narrower(left, problem.window?.left);
  const after = narrower(right, problem.window?.right);
  // A side that ends before the query's own position has no window.
  if ((before ?? 0) < 0 || (after ?? 0) < 0) return null;
  const causal = problem.causal || after === 0;
  const window = {
    ...(before !== null && { left: before }),
    ...(after !== null && !causal && { right: after }),
  };
  return {
    ...inputs,
    maskMod: undefined,
    blockMask: undefined,
    causal,
    window: Object.keys(window).length > 0 ? window : undefined,
    queryOffset: problem.positions === "none" ? 0 : (inputs.queryOffset ?? offsets),
  };
}
