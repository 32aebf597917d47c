import { plural } from "../report/describe.js";
import { type ContenderComparison, fewestCases, type Verdict } from "./compare.js";
import type { Interval } from "./t-test.js";

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

/** `(−3.0 to +12.0 %)`, with a space in front; nothing where there is none. */
export function formatInterval(interval: Interval | null): string {
  if (!interval) return "";
  const [low, high] = interval.map((change) => {
    const percent = (100 * (change - 1)).toFixed(1);
    return percent.startsWith("-") ? `−${percent.slice(1)}` : `+${percent}`;
  }) as [string, string];
  return ` (${low} to ${high} %)`;
}

/** The evidence for a contender's verdict: `over 14 cases, p 0.002`. */
export function formatBasis({ cases, p }: ContenderComparison): string {
  const over = `over ${plural(cases, "case")}`;
  return p === null && cases < fewestCases
    ? `${over}: too few to tell from chance, which takes ${fewestCases}`
    : `${over}, p ${formatP(p)}`;
}

export function formatP(p: number | null): string {
  return p === null ? "–" : p < 0.001 ? "<0.001" : p.toFixed(3);
}
