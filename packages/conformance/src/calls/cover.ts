/** Names of a factor's values, by the factor's name. The first value is the plainest. */
export type Factors = Readonly<Record<string, readonly string[]>>;

/** A value for each factor, or for some of them. */
export type Assignment = Readonly<Record<string, string>>;

/** Two values of two factors, as `"factor=value factor=value"`. */
export type Pair = string;

/**
 * Assignments in which each pair of values that can meet does meet: a covering array of strength 2,
 * built greedily, one row at a time (Cohen, Dalal, Fredman & Patton, "The AETG system", 1997).
 * Nothing in it is random: the same factors give the same rows.
 *
 * @param allowed whether an assignment of some of the factors can be part of a row. Once it says no,
 *   it must say no for every longer one
 * @param wanted the pairs that have to meet. Default all that can
 */
export function coverPairs(
  factors: Factors,
  allowed: (partial: Assignment) => boolean,
  wanted: readonly Pair[] = possiblePairs(factors, allowed),
): Assignment[] {
  const missing = new Set(wanted);
  const uses = new Map<string, number>();
  const rows: Assignment[] = [];
  for (const pair of missing) {
    const row = complete(factors, allowed, parsePair(pair), (partial, factor, value) => {
      // Most new pairs first; among equals the value used least, so that none stays with a few rows.
      const news = Object.keys(partial).filter((other) =>
        missing.has(pairOf(other, partial[other] as string, factor, value, factors)),
      ).length;
      return news - (uses.get(`${factor}=${value}`) ?? 0) / 1e6;
    });
    if (row === null) throw new Error(`no row has the pair ${pair}`);
    rows.push(row);
    for (const covered of pairsIn(row, factors)) missing.delete(covered);
    for (const [factor, value] of Object.entries(row)) {
      const key = `${factor}=${value}`;
      uses.set(key, (uses.get(key) ?? 0) + 1);
    }
  }
  return rows;
}

/** Every pair of values that some allowed row has. */
export function possiblePairs(factors: Factors, allowed: (partial: Assignment) => boolean): Pair[] {
  const names = Object.keys(factors);
  const pairs: Pair[] = [];
  for (const [i, a] of names.entries()) {
    for (const b of names.slice(i + 1)) {
      for (const x of factors[a] as readonly string[]) {
        for (const y of factors[b] as readonly string[]) {
          const row = complete(factors, allowed, { [a]: x, [b]: y }, () => 0);
          if (row !== null) pairs.push(pairOf(a, x, b, y, factors));
        }
      }
    }
  }
  return pairs;
}

/** The pairs that a row has. */
export function pairsIn(row: Assignment, factors: Factors): Pair[] {
  const names = Object.keys(factors);
  return names.flatMap((a, i) =>
    names.slice(i + 1).map((b) => pairOf(a, row[a] as string, b, row[b] as string, factors)),
  );
}

/** Says what is not plain about a row; the same values give the same name. */
export function nameOf(row: Assignment, factors: Factors): string {
  const told = Object.entries(factors).filter(([factor, [plainest]]) => row[factor] !== plainest);
  return told.map(([factor]) => row[factor]).join("_") || "plain";
}

/** An allowed row that has the given values, trying the values of highest score first. */
function complete(
  factors: Factors,
  allowed: (partial: Assignment) => boolean,
  partial: Assignment,
  score: (partial: Assignment, factor: string, value: string) => number,
): Assignment | null {
  if (!allowed(partial)) return null;
  const factor = Object.keys(factors).find((name) => !(name in partial));
  if (factor === undefined) return partial;
  const values = (factors[factor] as readonly string[])
    .map((value) => ({ value, score: score(partial, factor, value) }))
    .sort((a, b) => b.score - a.score);
  for (const { value } of values) {
    const row = complete(factors, allowed, { ...partial, [factor]: value }, score);
    if (row !== null) return row;
  }
  return null;
}

/** In the order of the factors, so that a pair has one name. */
function pairOf(a: string, x: string, b: string, y: string, factors: Factors): Pair {
  const names = Object.keys(factors);
  return names.indexOf(a) < names.indexOf(b) ? `${a}=${x} ${b}=${y}` : `${b}=${y} ${a}=${x}`;
}

function parsePair(pair: Pair): Assignment {
  return Object.fromEntries(pair.split(" ").map((part) => part.split("=")));
}
