import { type HostTensor, toFloat64 } from "@heed/core";
import type { HostOutputs } from "../calls/bits.js";

/**
 * A mistake that an implementation can make, as steps of an evaluation that it replaces: it explains failures,
 * and is planted to test the suite.
 */
export interface StepMistake<Steps> {
  /** Completes "a backend in which …" and "this is what comes out if …". */
  readonly name: string;
  readonly steps: Partial<Steps>;
}

/**
 * The mistakes that would give what came, of those that make a difference.
 *
 * @param evaluate computes the call with some steps replaced
 */
export function explainBySteps<Steps>(
  mistakes: readonly StepMistake<Steps>[],
  evaluate: (steps: Partial<Steps>) => object,
  outputs: object,
): string[] {
  const [got, right] = [valuesOf(outputs), valuesOf(evaluate({}))];
  if (got.length !== right.length || near(got, right)) return [];
  return mistakes
    .filter(({ steps }) => {
      const made = valuesOf(evaluate(steps));
      return near(got, made) && !near(made, right);
    })
    .map(({ name }) => name);
}

/** All elements of the outputs, one output after another in the order of their names. */
function valuesOf(outputs: object): number[] {
  return Object.entries(outputs as HostOutputs)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, t]) => Array.from(toFloat64(t as HostTensor)));
}

/** Mistakes make far larger differences, and rounding far smaller ones. */
function near(a: readonly number[], b: readonly number[]): boolean {
  return a.every((x, at) => {
    const y = b[at] as number;
    if (!Number.isFinite(x) || !Number.isFinite(y)) return Object.is(x, y);
    return Math.abs(x - y) <= 1e-3 * Math.max(0.1, Math.abs(x), Math.abs(y));
  });
}
