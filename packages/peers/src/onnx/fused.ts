import type { AttentionProblem, SupportReason } from "@heed/core";

/** Operators of com.microsoft that express attention. */
export type FusedOperator = "MultiHeadAttention" | "GroupQueryAttention";

/** The operator for a problem: GroupQueryAttention only for grouped heads, windows and soft caps. */
export function fusedOperator(p: AttentionProblem): FusedOperator {
  const grouped = p.kvHeads !== p.queryHeads || p.window !== null || p.softcap !== null;
  return grouped ? "GroupQueryAttention" : "MultiHeadAttention";
}

/** Reasons why the operator cannot express a problem, in addition to a peer's limits. */
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
