import type { Verdict } from "./compare.js";

/** Verdicts as they are shown. */
export const verdictWords: Readonly<Record<Verdict, string>> = {
  slower: "SLOWER",
  faster: "faster",
  same: "noise",
  unsure: "unsure",
};

/** `12.0 % longer`, `5.0 % shorter`. */
export function formatChange(change: number): string {
  const percent = 100 * (change - 1);
  return `${Math.abs(percent).toFixed(1)} % ${percent >= 0 ? "longer" : "shorter"}`;
}

export function formatP(p: number | null): string {
  return p === null ? "–" : p < 0.001 ? "<0.001" : p.toFixed(3);
}
