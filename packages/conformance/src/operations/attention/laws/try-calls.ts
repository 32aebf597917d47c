import { type Attention, createAttention, type SupportReason, UnsupportedError } from "@heed/core";
import fc from "fast-check";
import { borrow } from "../../../run/borrow.js";
import type { CheckContext, ProgramFinding } from "../../../run/case.js";

/**
 * Time limit in ms for trying a law and shrinking a failure; the smallest failure found by then is
 * reported. An ordinary run's problems take seconds, and a test's own limit is a minute; an exhaustive
 * run may take longer.
 */
function milliseconds(runs: number): number {
  return Math.max(25_000, 300 * runs);
}

/** A law: the calls that it is about, and the results that they must have. */
export interface Tried<T> {
  readonly calls: fc.Arbitrary<T>;
  /** Says what is wrong with a call's results, or null. What the backend refuses counts as a refusal, not as a failure. */
  readonly check: (attention: Attention, one: T) => Promise<string | null>;
  /** Sentences about the smallest call that fails. */
  readonly describe: (one: T, shrinks: number, why: string) => readonly string[];
}

/** Tries as many random calls on a backend as its context has runs, and shrinks what fails. */
export async function tryCalls<T>(
  { backend, runs, seed }: CheckContext,
  { calls, check, describe }: Tried<T>,
): Promise<ProgramFinding> {
  const attention = await createAttention({
    backends: [{ name: backend.name, load: async () => borrow(backend) }],
    selfTest: false,
    fallback: "silent",
  });
  const refusals = new Map<string, SupportReason>();
  let accepted = 0;
  const broken = async (one: T): Promise<string | null> => {
    try {
      const found = await check(attention, one);
      accepted += 1;
      return found;
    } catch (error) {
      if (!(error instanceof UnsupportedError)) throw error;
      for (const reason of error.backends.flatMap(({ reasons }) => reasons)) {
        refusals.set(reason.code, reason);
      }
      return null;
    }
  };
  try {
    const found = await fc.check(
      fc.asyncProperty(calls, async (one) => {
        const sentence = await broken(one);
        if (sentence !== null) throw new Error(sentence);
      }),
      { numRuns: runs, seed, interruptAfterTimeLimit: milliseconds(runs) },
    );
    if (found.failed && found.counterexample) {
      const { errorInstance: error, counterexample, numShrinks } = found;
      const why = error instanceof Error ? error.message : String(error);
      return { failures: describe(counterexample[0], numShrinks, why) };
    }
    const reasons = [...refusals.values()];
    return accepted === 0 && reasons.length > 0 ? { failures: [], reasons } : { failures: [] };
  } finally {
    await attention.dispose();
  }
}
