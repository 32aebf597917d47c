import type { AttentionProblem, Sequence } from "@heed/core";
import type { VisitGroup } from "./groups.js";

/**
 * The first row of a group among the rows `[batch, heads, rows]` of a call, if its rows lie there as they do in the group, so
 * that they can be read and written in place; null otherwise.
 */
export function firstRowOf(
  {
    problem,
    sequences,
  }: {
    readonly problem: Pick<AttentionProblem, "queryHeads" | "queryLength">;
    readonly sequences: readonly Pick<Sequence, "batch" | "queryStart">[];
  },
  { visits, heads, rows }: VisitGroup,
): number | null {
  const { queryHeads, queryLength } = problem;
  let first: number | null = null;
  let expected = 0;
  for (const { sequence, head, spans } of visits) {
    const { batch, queryStart } = sequences[sequence] as (typeof sequences)[number];
    const [span, ...others] = spans;
    if (span === undefined || others.length > 0 || span.rows !== rows) return null;
    for (let h = head; h < head + heads.queries; h++) {
      const row = (batch * queryHeads + h) * queryLength + queryStart + span.row;
      if (first !== null && row !== expected) return null;
      first ??= row;
      expected = row + rows;
    }
  }
  return first;
}
