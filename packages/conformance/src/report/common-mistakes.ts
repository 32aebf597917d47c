import type { CaseResult } from "./report.js";

/** A mistake that explains failing cases. */
export interface CommonMistake {
  readonly mistake: string;
  /**
   * Failing cases that it explains, with those before it, and that those alone do not; where it takes
   * two at once, as many for each.
   */
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
    const lacking = left.flatMap((alternatives) =>
      alternatives.map((together) => together.filter((mistake) => !found.includes(mistake))),
    );
    const fewest = Math.min(...lacking.map(({ length }) => length));
    const counts = new Map<string, { together: readonly string[]; count: number }>();
    for (const together of lacking.filter(({ length }) => length === fewest)) {
      const key = [...together].sort().join();
      counts.set(key, { together, count: (counts.get(key)?.count ?? 0) + 1 });
    }
    const { together } = [...counts.values()].reduce((a, b) => (b.count > a.count ? b : a));
    found.push(...together);
    const rest = left.filter((alternatives) => !explains(found, alternatives));
    counted.push(...together.map((mistake) => ({ mistake, cases: left.length - rest.length })));
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
