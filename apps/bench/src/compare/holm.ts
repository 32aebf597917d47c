/**
 * Corrects for testing many hypotheses at once: rejecting those whose corrected value is at most α
 * keeps the chance of any false rejection at α (Holm, 1979).
 *
 * @param values p-values; null where there is none
 */
export function holm(values: readonly (number | null)[]): (number | null)[] {
  const corrected: (number | null)[] = values.map(() => null);
  const ordered = values
    .flatMap((p, at) => (p === null ? [] : [{ p, at }]))
    .sort((a, b) => a.p - b.p);
  let least = 0;
  for (const [rank, { p, at }] of ordered.entries()) {
    // None may become smaller than one before it.
    least = Math.max(least, Math.min(1, (ordered.length - rank) * p));
    corrected[at] = least;
  }
  return corrected;
}
