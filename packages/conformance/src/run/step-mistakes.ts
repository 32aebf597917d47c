import { type Bound, type HostTensor, toFloat64 } from "@heed/core";
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

/** A mistake as a backend that makes it computes a call. */
export interface PlantedMistake<Call, Outputs> {
  readonly name: string;
  /** @param bound the same call, bound */
  evaluate(call: Call, bound: Bound): Outputs;
}

/** The mistakes of an operation, which explain wrong outputs and are planted to test the suite. */
export interface KnownMistakes<Call, Outputs> {
  /** Names of the mistakes that would give what came. */
  readonly explain: (call: Call, outputs: Outputs) => readonly string[];
  readonly planted: readonly PlantedMistake<Call, Outputs>[];
}

/** @param evaluate computes a call with some steps replaced */
export function knownMistakes<Steps, Call, Outputs extends object>(
  mistakes: readonly StepMistake<Steps>[],
  evaluate: (call: Call, steps: Partial<Steps>) => Outputs,
): KnownMistakes<Call, Outputs> {
  return {
    explain: (call, outputs) => explainBySteps(mistakes, (steps) => evaluate(call, steps), outputs),
    planted: mistakes.map(({ name, steps }) => ({
      name,
      evaluate: (call) => evaluate(call, steps),
    })),
  };
}

/** The mistakes that would give what came, of those that make a difference. */
function explainBySteps<Steps>(
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
