import { isDeviceTensor } from "../tensor/host-tensor.js";
import type { Tensor } from "../tensor/tensor.js";

/** Timed runs of each candidate, after one that is not timed; the shortest counts. */
const timedRuns = 3;

/**
 * The candidate that runs a call in the shortest time. One that throws does not count as slow: its
 * error goes to the caller, since a backend that accepted the problem must run it.
 *
 * @param runOn runs the call once on a candidate
 */
export async function fastestOf<C>(
  candidates: readonly C[],
  runOn: (candidate: C) => Promise<object>,
): Promise<C> {
  let fastest = candidates[0] as C;
  let shortest = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const time = await shortestRun(() => runOn(candidate));
    if (time < shortest) [fastest, shortest] = [candidate, time];
  }
  return fastest;
}

async function shortestRun(run: () => Promise<object>): Promise<number> {
  let shortest = Number.POSITIVE_INFINITY;
  for (let i = 0; i <= timedRuns; i++) {
    const start = performance.now();
    const outputs = Object.values(await run()) as (Tensor | undefined)[];
    // An asynchronous device is done when its output can be read.
    const [first] = outputs;
    if (first !== undefined && isDeviceTensor(first)) await first.read();
    const time = performance.now() - start;
    for (const t of outputs) if (t !== undefined && isDeviceTensor(t)) t.dispose();
    if (i > 0) shortest = Math.min(shortest, time);
  }
  return shortest;
}
