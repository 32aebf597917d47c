import type { AttentionProblem } from "@heed/core";
import type { VisitGroup } from "./groups.js";

/**
 * The first row of a group among the rows `[batch, heads, rows]` of a call, if its rows lie there as they do in the group, so
 * that they can be read and written in place; null otherwise.
 */
export function firstRowOf(
  { queryHeads, queryLength }: Pick<AttentionProblem, "queryHeads" | "queryLength">,
  { visits, heads, rows }: VisitGroup,
): number | null {
  let first: number | null = null;
  let expected = 0;
  for (const { batch, head, spans } of visits) {
    const [span, ...others] = spans;
    if (span === undefined || others.length > 0 || span.rows !== rows) return null;
    for (let h = head; h < head + heads.queries; h++) {
      const row = (batch * queryHeads + h) * queryLength + span.row;
      if (first !== null && row !== expected) return null;
      first ??= row;
      expected = row + rows;
    }
  }
  return first;
}
