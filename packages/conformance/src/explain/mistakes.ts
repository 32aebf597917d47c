import type { CaseResult } from "../report/report.js";

/** A mistake that explains failing cases. */
export interface CommonMistake {
  readonly mistake: string;
  /** Failing cases that it explains, with those before it, and that those alone do not. */
  readonly cases: number;
}

/**
 * The fewest mistakes that explain what can be explained, about: the one that explains most cases
 * comes first, then the one that explains most of the rest, alone or together with those before it.
 */
export function commonMistakes(results: readonly CaseResult[]): CommonMistake[] {
  let left = results
    .map(({ explanations = [] }) => explanations)
    .filter((alternatives) => alternatives.length > 0);
  const found: string[] = [];
  const counted: CommonMistake[] = [];
  while (left.length > 0) {
    const lacking = left.map((alternatives) =>
      alternatives.map((mistakes) => mistakes.filter((mistake) => !found.includes(mistake))),
    );
    const fewest = Math.min(...lacking.flat().map(({ length }) => length));
    const counts = new Map<string, number>();
    for (const alternatives of lacking) {
      const named = new Set(alternatives.filter(({ length }) => length === fewest).flat());
      for (const mistake of named) counts.set(mistake, (counts.get(mistake) ?? 0) + 1);
    }
    const [mistake] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a));
    found.push(mistake);
    const rest = left.filter((alternatives) => !explains(found, alternatives));
    counted.push({ mistake, cases: left.length - rest.length });
    left = rest;
  }
  return counted;
}

/** Whether mistakes give what came: all those of one alternative. */
export function explains(
  mistakes: readonly string[],
  alternatives: readonly (readonly string[])[],
): boolean {
  return alternatives.some((together) => together.every((one) => mistakes.includes(one)));
}
