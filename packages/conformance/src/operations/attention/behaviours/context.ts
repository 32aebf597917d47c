import {
  type AttentionBackend,
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionPlan,
  describeProblem,
  type HostTensor,
} from "@heed/core";
import { type OutputBits, outputBits, toHost } from "../../../calls/bits.js";
import type { Arithmetic } from "../../../judge/arithmetic.js";
import { buildInputs } from "../build/inputs.js";
import type { CaseSpec } from "../spec.js";

type Call = AttentionInputs<HostTensor>;

/** A call with a name to tell it by. */
export interface NamedCall {
  readonly name: string;
  readonly inputs: Call;
}

/** The calls of some specs that a backend accepts, by the names of the specs. */
export function acceptedCalls(
  backend: AttentionBackend,
  specs: Readonly<Record<string, CaseSpec>>,
  arithmetic: Arithmetic,
): NamedCall[] {
  return Object.entries(specs)
    .map(([name, spec]) => ({ name, inputs: buildInputs(spec, name, arithmetic) }))
    .filter(({ inputs }) => backend.supports(describeProblem(inputs)).ok);
}

export async function planOf(backend: AttentionBackend, inputs: Call): Promise<AttentionPlan> {
  return backend.plan(describeProblem(inputs));
}

/** Runs on a plan of its own. */
export async function runOnce(
  backend: AttentionBackend,
  inputs: Call,
): Promise<AttentionOutputs<HostTensor>> {
  const plan = await planOf(backend, inputs);
  try {
    return await toHost(await plan.run(inputs));
  } finally {
    plan.dispose();
  }
}

export async function bitsOnce(backend: AttentionBackend, inputs: Call): Promise<OutputBits> {
  return outputBits(await runOnce(backend, inputs));
}

/** The error that a function throws or its promise rejects with; `null` if there is none. */
export async function rejection(act: () => unknown): Promise<unknown> {
  try {
    await act();
    return null;
  } catch (error) {
    return error;
  }
}

/** How an error reads in a failure. */
export function named(error: unknown): string {
  if (error === null) return "nothing";
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
