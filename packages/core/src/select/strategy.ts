import type { SupportReason } from "../errors.js";
import type { BackendInfo } from "../operation/backend.js";
import type { Problem } from "../operation/problem.js";

/** A backend that a strategy may choose. Two may share a name: they are told apart as objects. */
export interface Candidate {
  readonly name: string;
  /** null unless it is loaded. */
  readonly info: BackendInfo | null;
}

/** The functions by which a strategy changes the attention that it serves. */
export interface StrategyControl {
  /** Every backend asked for, in the order given. */
  readonly candidates: readonly Candidate[];
  /** Loads a backend that was not tried yet, without any call that waits for it. Never rejects. */
  load(candidate: Candidate): Promise<void>;
  /**
   * Makes a plan ahead, so that a later call on the candidate need not wait for it.
   *
   * @returns whether the candidate is loaded, computes the problem, and has a plan for it now
   */
  plan(candidate: Candidate, problem: Problem): Promise<boolean>;
  /** Tells listeners of the event `"choice"`. */
  chose(problem: Problem, candidate: Candidate, reason: string): void;
}

/** A way to choose among the backends that can run a problem. An attention has one of its own. */
export interface Strategy {
  /** Called once, before all others. */
  attach?(control: StrategyControl): void;
  /** All backends in the order of preference for a problem. Left out: the order given. */
  rank?<C extends Candidate>(problem: Problem, candidates: readonly C[]): readonly C[];
  /**
   * The backend for a call, of two or more that can run it; asked for every call. Left out: the
   * first. Undefined: {@link measure}, which is there in this case, has to find out.
   *
   * @param asked false where no call is about to run, as in `explain`
   */
  choose?<C extends Candidate>(
    problem: Problem,
    candidates: readonly C[],
    asked: boolean,
  ): C | undefined;
  /**
   * Finds the backend for a call by running it; the call waits for it.
   *
   * @param run runs the call once
   */
  measure?<C extends Candidate>(
    problem: Problem,
    candidates: readonly C[],
    run: (candidate: C) => Promise<object>,
  ): Promise<C>;
  /**
   * Hears how long a call on host tensors took whose plan was ready and beside which no other ran.
   *
   * @param milliseconds from the call to its outputs
   */
  saw?(problem: Problem, candidate: Candidate, milliseconds: number): void;
  /** Why the chosen backend is chosen, in a sentence, if there is more to say than its place. */
  why?(problem: Problem, chosen: Candidate): string | undefined;
  /**
   * Why a backend that could run a problem does not.
   *
   * @param chosen undefined if it is not known yet
   */
  whyNot(problem: Problem, candidate: Candidate, chosen: Candidate | undefined): SupportReason;
  /** Ends what the strategy has under way; awaited by the attention's `dispose`. */
  dispose?(): void | Promise<void>;
}
