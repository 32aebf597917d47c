import type { AttentionProblem, BoundInputs } from "@heed/core";

/**
 * A sequence of a call as the naive evaluation reads it, worked out from the call's tables here again: see
 * {@link naiveAttention}.
 */
export interface NaiveSequence {
  /** Entry of query and output. */
  readonly entry: number;
  readonly queries: number;
  readonly keys: number;
  /** Row of query and output that query i is. */
  readonly queryRow: (i: number) => number;
  /** Row that key j is among the stored rows of key head g, `[entries, kvHeads, rows]` flattened. */
  readonly keyRow: (g: number, j: number) => number;
  /** Positions that causal, window and ALiBi compare. */
  readonly queryAt: (i: number) => number;
  readonly keyAt: (j: number) => number;
}

export function naiveSequences(problem: AttentionProblem, bound: BoundInputs): NaiveSequence[] {
  const { kvHeads, queryLength, keyLength, pages, ragged } = problem;
  const { pageTable, queryStarts, keyStarts, queryPositions, keyPositions } = bound;
  return Array.from({ length: bound.kvLengths.length }, (_, s) => {
    const firstQuery = queryStarts?.[s] ?? 0;
    const behindQuery = queryStarts?.[s + 1] ?? queryLength;
    const firstKey = keyStarts?.[s] ?? 0;
    const entry = ragged ? 0 : s;
    const ownRow = (rows: number | null, length: number): number => (rows === 1 ? 0 : s * length);
    const queryTable = ownRow(problem.queryPositions, queryLength) + firstQuery;
    const keyTable = ownRow(problem.keyPositions, keyLength) + firstKey;
    return {
      entry,
      queries: behindQuery - firstQuery,
      keys: bound.kvLengths[s] as number,
      queryRow: (i) => firstQuery + i,
      keyRow: (g, j) => {
        if (!pages) return (entry * kvHeads + g) * keyLength + firstKey + j;
        const page = pageTable?.[s * pages.perSequence + Math.floor(j / pages.size)] as number;
        return (page * kvHeads + g) * pages.size + (j % pages.size);
      },
      queryAt: (i) =>
        queryPositions
          ? (queryPositions[queryTable + i] as number)
          : i + (bound.offsets[s] as number),
      keyAt: (j) => (keyPositions ? (keyPositions[keyTable + j] as number) : j),
    };
  });
}
