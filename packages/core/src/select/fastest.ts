import type { AttentionInputs, AttentionOutputs } from "../attention/inputs.js";
import type { AttentionPlan } from "../operation/backend.js";
import { isDeviceTensor, type Tensor } from "../tensor/tensor.js";

/** Timed runs of each candidate, after one that is not timed; the shortest counts. */
const timedRuns = 3;

/**
 * The candidate that runs a call in the shortest time. One that throws does not count as slow: its
 * error goes to the caller, since a backend that accepted the problem must run it.
 *
 * @param withPlan makes a candidate's plan available
 */
export async function fastestOf<C>(
  candidates: readonly C[],
  withPlan: (candidate: C, use: (plan: AttentionPlan) => Promise<number>) => Promise<number>,
  inputs: AttentionInputs,
): Promise<C> {
  let fastest = candidates[0] as C;
  let shortest = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const time = await withPlan(candidate, (plan) => shortestRun(plan, inputs));
    if (time < shortest) [fastest, shortest] = [candidate, time];
  }
  return fastest;
}

async function shortestRun(plan: AttentionPlan, inputs: AttentionInputs): Promise<number> {
  let shortest = Number.POSITIVE_INFINITY;
  for (let run = 0; run <= timedRuns; run++) {
    const start = performance.now();
    const outputs = await plan.run(inputs);
    // An asynchronous device is done when its output can be read.
    if (isDeviceTensor(outputs.output)) await outputs.output.read();
    const time = performance.now() - start;
    disposeOutputs(outputs);
    if (run > 0) shortest = Math.min(shortest, time);
  }
  return shortest;
}

function disposeOutputs(outputs: AttentionOutputs): void {
  for (const t of Object.values(outputs) as (Tensor | undefined)[]) {
    if (t && isDeviceTensor(t)) t.dispose();
  }
}
