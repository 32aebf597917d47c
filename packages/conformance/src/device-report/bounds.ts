/** Largest size of a file, in characters. A report may come from strangers, and travels in addresses. */
export const mostCharacters = 100_000;

/** Characters that the list of failures of all backends may take, and those of the benchmark's cases. */
export const failureCharacters = 15_000;
export const caseCharacters = 35_000;

/** Longest text of a member. */
export const longestText = 300;
/** Longest name that somebody gives a device. */
export const longestName = 80;

/** Most members of each list. */
export const most = {
  backends: 40,
  profiles: 40,
  refusals: 40,
  contenders: 64,
  cases: 1_000,
  texts: 40,
} as const;

/** A text that is short enough, with an ellipsis where something was cut. */
export function shorten(text: string, longest: number = longestText): string {
  return text.length <= longest
    ? text
    : `${text.slice(0, longest - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}

/** The first members of a list that together take at most so many characters as JSON. */
export function fitting<T>(all: readonly T[], characters: number): T[] {
  const kept: T[] = [];
  let left = characters;
  for (const one of all) {
    left -= JSON.stringify(one).length + 1;
    if (left < 0) break;
    kept.push(one);
  }
  return kept;
}
