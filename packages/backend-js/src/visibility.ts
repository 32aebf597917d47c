/** Which keys, around a query's position, causal and window leave: see `visibleBand` of core. */
export interface Band {
  readonly left: number;
  readonly right: number;
}

/** Keys `start ≤ j < end`. */
export interface KeyRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The keys that some query at positions `first` to `last` sees: outside of it nothing is touched.
 *
 * @param length keys that exist
 */
export function visibleKeys(band: Band, length: number, first: number, last: number): KeyRange {
  const start = Math.max(0, Math.min(length, first - band.left));
  return { start, end: Math.max(start, Math.min(length, last + band.right + 1)) };
}

/** Whether every query at positions `first` to `last` sees every key of a tile. */
export function fullyVisible(band: Band, tile: KeyRange, first: number, last: number): boolean {
  return last - band.left <= tile.start && tile.end - 1 <= first + band.right;
}

/**
 * The rows of a block that see any key of a tile.
 *
 * @param positions of the rows, not descending
 * @param rows how many rows there are
 */
export function rowsSeeing(
  band: Band,
  tile: KeyRange,
  positions: ArrayLike<number>,
  rows: number,
): { readonly from: number; readonly to: number } {
  let from = 0;
  while (from < rows && (positions[from] as number) + band.right < tile.start) from++;
  let to = rows;
  while (to > from && (positions[to - 1] as number) - band.left >= tile.end) to--;
  return { from, to };
}
