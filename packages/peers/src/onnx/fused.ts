import type { AttentionProblem, SupportReason } from "@heed/core";

/** The operator of com.microsoft that a problem is written with. */
export type FusedOperator = "MultiHeadAttention" | "GroupQueryAttention";

/** Grouped heads, and what only the one knows, take the one; everything else the other. */
export function fusedOperator(p: AttentionProblem): FusedOperator {
  const grouped = p.kvHeads !== p.queryHeads || p.window !== null || p.softcap !== null;
  return grouped ? "GroupQueryAttention" : "MultiHeadAttention";
}

/** What these operators cannot be told, beside what a peer's limits say. */
export function fusedReasons(p: AttentionProblem): SupportReason[] {
  if (fusedOperator(p) === "MultiHeadAttention") return [];
  const reasons: SupportReason[] = [];
  const no = (code: string, what: string) =>
    reasons.push({ code, message: `GroupQueryAttention has no ${what}` });
  if (!p.causal && p.queryLength > 1) no("causal", "way to leave causal out");
  if (p.kvLengths) no("kvLengths", "lengths apart from its cache");
  if (p.valueDim !== p.headDim) no("valueDim", "value size of its own");
  if (p.window && (p.window.left === null || (p.window.right ?? 0) < 0))
    no("window", "such window");
  return reasons;
}
