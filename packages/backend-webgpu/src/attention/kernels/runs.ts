/**
 * Keys of a run: they are summed by themselves before their sums are added to those of the keys before them, since a sum
 * of many nearly equal terms in float32 drifts (N. J. Higham, The accuracy of floating point summation, 1993). Runs
 * start at multiples of it, so that a row's bits do not depend on keys that it does not see. A multiple of the keys
 * of every tile.
 */
export const runKeys = 1024;

/** Keys that are summed one after the other where runs would cost registers: their drift is within the budgets. */
const mostSummedKeys = 4096;

/** Whether a row sums more keys than that. */
export function needsRuns(keyLength: number, splits: number): boolean {
  return keyLength > splits * mostSummedKeys;
}
