import * as P from "../shared/program.js";
import type { CallRuns } from "./runs.js";

/** Bytes of runs in wasm memory. */
export function bytesOfRuns({ units, starts, runs }: CallRuns): number {
  return 4 * (units.length + starts.length + runs.length);
}

/** Writes runs at a byte address: see src/shared/attention.ts. */
export function writeRuns(
  words: Int32Array,
  address: number,
  { units, starts, runs }: CallRuns,
): { readonly unitsAt: number; readonly startsAt: number } {
  const unitsAt = address;
  const startsAt = unitsAt + 4 * units.length;
  const runsAt = startsAt + 4 * starts.length;
  words.set(units, unitsAt / 4);
  for (let n = 0; n < starts.length; n++) {
    words[startsAt / 4 + n] = runsAt + P.runBytes * (starts[n] as number);
  }
  words.set(runs, runsAt / 4);
  return { unitsAt, startsAt };
}
