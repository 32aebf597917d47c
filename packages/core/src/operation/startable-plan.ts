import type { Bound } from "./operation.js";

/** Base of plans whose runs need no promise where their backend computes at once. */
export abstract class StartablePlan {
  /**
   * As `runBound` of a plan. May throw.
   *
   * @returns the outputs, or a promise of them
   */
  abstract start(bound: Bound): unknown;
}
