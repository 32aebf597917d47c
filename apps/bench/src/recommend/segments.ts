/** A range of sizes with the candidates in it, the best first. */
export interface Segment<C> {
  /** Sizes in order, at least one. */
  readonly sizes: readonly number[];
  readonly ranking: readonly C[];
}

/**
 * Cuts sizes into ranges such that using one candidate throughout each loses little against using the
 * best at every single size (segmented regression by dynamic programming, Bellman, 1961).
 *
 * @param sizes distinct, in order
 * @param loss what a candidate loses at a size, ≥ 0
 * @param worth what a further range has to save to be worth having
 */
export function segment<C>(
  sizes: readonly number[],
  candidates: readonly C[],
  loss: (candidate: C, size: number) => number,
  worth: number,
): Segment<C>[] {
  const rank = (start: number, end: number) => {
    const totals = candidates.map((candidate) => ({
      candidate,
      total: sizes.slice(start, end).reduce((sum, size) => sum + loss(candidate, size), 0),
    }));
    return totals.sort((a, b) => a.total - b.total);
  };
  /** `best[end]` is for the first `end` sizes: the least cost, and the start of the last range. */
  const best: { cost: number; start: number }[] = [{ cost: 0, start: 0 }];
  for (let end = 1; end <= sizes.length; end++) {
    let least = { cost: Number.POSITIVE_INFINITY, start: 0 };
    for (let start = 0; start < end; start++) {
      const before = best[start] as { cost: number };
      const cost = before.cost + (rank(start, end)[0]?.total ?? 0) + (start > 0 ? worth : 0);
      // On equal cost the earlier start stays, so that the range is longer.
      if (cost < least.cost) least = { cost, start };
    }
    best.push(least);
  }
  const segments: Segment<C>[] = [];
  for (let end = sizes.length; end > 0; ) {
    const { start } = best[end] as { start: number };
    const ranking = rank(start, end).map(({ candidate }) => candidate);
    segments.unshift({ sizes: sizes.slice(start, end), ranking });
    end = start;
  }
  return segments;
}
