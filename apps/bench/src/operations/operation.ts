import type { AnyOperation, HostTensor, Problem, Tensor } from "@heed/core";
import type { Judge } from "../measure/judge.js";

/** Sizes of a case by name, e.g. `queryHeads`, as reports show them. */
export type CaseSizes = Readonly<Record<string, number>>;

/**
 * Everything that differs between operations when they are measured. `Inputs` are a call's inputs in
 * JavaScript's memory, `P` is its problem.
 */
export interface MeasuredOperation<Inputs = unknown, P extends Problem = Problem> {
  /** Core's definition: it validates calls and counts their work. */
  readonly definition: AnyOperation;
  /** A judge of a call's outputs, by the budgets of the conformance suite. */
  prepareJudge(inputs: Inputs): Judge;
  sizesOf(problem: P): CaseSizes;
  /** The call with each tensor that a backend can hold replaced, one after another. */
  replaceTensors(inputs: Inputs, replace: (t: HostTensor) => Promise<Tensor>): Promise<unknown>;
}
