/** The keys that rows of visits see, for as many heads and rows as differ. */
export interface VisitMask {
  /** bool `[visits, heads or 1, rows or 1, keys]`; false for keys and rows that are made up. */
  readonly data: Uint8Array;
  readonly heads: number;
  readonly rows: number;
}
