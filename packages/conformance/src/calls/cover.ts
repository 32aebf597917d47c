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
 *   it must say no for every longer one. It must not keep the assignment, which is changed later
 * @param wanted the pairs that have to meet. Default all that can
 */
export function coverPairs(
  factors: Factors,
  allowed: (partial: Assignment) => boolean,
  wanted: readonly Pair[] = possiblePairs(factors, allowed),
): Assignment[] {
  const table = new Values(factors);
  const missing = table.pairs();
  for (const pair of wanted) table.mark(missing, table.numbersOf(pair), 1);
  const uses = new Int32Array(table.count);
  const rows: Assignment[] = [];
  for (const pair of wanted) {
    const [a, b] = table.numbersOf(pair);
    if (missing[a * table.count + b] === 0) continue;
    const row = complete(table, allowed, [a, b], (chosen, value) => {
      // Most new pairs first; among equals the value used least, so that none stays with a few rows.
      let news = 0;
      for (const other of chosen) {
        if (other >= 0) news += missing[other * table.count + value] as number;
      }
      return news - (uses[value] as number) / 1e6;
    });
    if (row === null) throw new Error(`no row has the pair ${pair}`);
    rows.push(table.assignmentOf(row));
    table.markAll(missing, row, 0);
    for (const value of row) (uses[value] as number) += 1;
  }
  return rows;
}

/** Every pair of values that some allowed row has. */
export function possiblePairs(factors: Factors, allowed: (partial: Assignment) => boolean): Pair[] {
  const table = new Values(factors);
  const met = table.pairs();
  const pairs: Pair[] = [];
  // A row that one pair is part of shows that all of its pairs can meet: rows with many new ones first.
  const news = (chosen: Int32Array, value: number): number => {
    let count = 0;
    for (const other of chosen) {
      if (other >= 0) count += 1 - (met[other * table.count + value] as number);
    }
    return count;
  };
  for (let a = 0; a < table.count; a++) {
    const factor = table.factorOf[a] as number;
    for (let b = table.first[factor + 1] as number; b < table.count; b++) {
      if (met[a * table.count + b] === 0) {
        const row = complete(table, allowed, [a, b], news);
        if (row !== null) table.markAll(met, row, 1);
      }
    }
  }
  for (const [i, a] of table.names.entries()) {
    for (const b of table.names.slice(i + 1)) {
      for (const x of factors[a] as readonly string[]) {
        for (const y of factors[b] as readonly string[]) {
          const [one, other] = [table.numberOf(a, x), table.numberOf(b, y)];
          if (met[one * table.count + other] === 1) pairs.push(`${a}=${x} ${b}=${y}`);
        }
      }
    }
  }
  return pairs;
}

/** The pairs that a row has. */
export function pairsIn(row: Assignment, factors: Factors): Pair[] {
  const names = Object.keys(factors);
  return names.flatMap((a, i) => names.slice(i + 1).map((b) => `${a}=${row[a]} ${b}=${row[b]}`));
}

/** Says what is not plain about a row; the same values give the same name. */
export function nameOf(row: Assignment, factors: Factors): string {
  const told = Object.entries(factors).filter(([factor, [plainest]]) => row[factor] !== plainest);
  return told.map(([factor]) => row[factor]).join("_") || "plain";
}

/** Values of all factors, numbered through: a pair is a cell of a square table. */
class Values {
  readonly names: readonly string[];
  /** Number of values of all factors together. */
  readonly count: number;
  /** Number of the first value of each factor, and the number behind the last one's. */
  readonly first: readonly number[];
  readonly factorOf: readonly number[];
  readonly valueOf: readonly string[];
  readonly #numbers: ReadonlyMap<string, number>;

  constructor(factors: Factors) {
    this.names = Object.keys(factors);
    const values = this.names.map((name) => factors[name] as readonly string[]);
    const first = [0];
    for (const own of values) first.push((first.at(-1) as number) + own.length);
    this.first = first;
    this.count = first.at(-1) as number;
    this.factorOf = values.flatMap((own, factor) => own.map(() => factor));
    this.valueOf = values.flat();
    this.#numbers = new Map(
      this.valueOf.map((value, n) => [`${this.names[this.factorOf[n] as number]}=${value}`, n]),
    );
  }

  numberOf(factor: string, value: string): number {
    const number = this.#numbers.get(`${factor}=${value}`);
    if (number === undefined) throw new Error(`no factor ${factor} has a value ${value}`);
    return number;
  }

  numbersOf(pair: Pair): readonly [number, number] {
    const [a, b] = pair.split(" ").map((part) => {
      const [factor = "", value = ""] = part.split("=");
      return this.numberOf(factor, value);
    });
    return [a as number, b as number];
  }

  /** A table of all pairs, in both orders, none of them marked. */
  pairs(): Uint8Array {
    return new Uint8Array(this.count * this.count);
  }

  mark(pairs: Uint8Array, [a, b]: readonly [number, number], as: 0 | 1): void {
    pairs[a * this.count + b] = as;
    pairs[b * this.count + a] = as;
  }

  /** Marks all pairs of a row. */
  markAll(pairs: Uint8Array, row: Int32Array, as: 0 | 1): void {
    for (let i = 0; i < row.length; i++) {
      for (let j = i + 1; j < row.length; j++) {
        this.mark(pairs, [row[i] as number, row[j] as number], as);
      }
    }
  }

  assignmentOf(row: Int32Array): Assignment {
    return Object.fromEntries(
      this.names.map((name, factor) => [name, this.valueOf[row[factor] as number] as string]),
    );
  }
}

/**
 * An allowed row that has the given values, trying the values of highest score first.
 *
 * @param score of a value beside those chosen so far, which are −1 where none is chosen
 * @returns the number of each factor's value
 */
function complete(
  table: Values,
  allowed: (partial: Assignment) => boolean,
  given: readonly number[],
  score: (chosen: Int32Array, value: number) => number,
): Int32Array | null {
  const chosen = new Int32Array(table.names.length).fill(-1);
  const partial: Record<string, string> = {};
  const choose = (value: number): void => {
    const factor = table.factorOf[value] as number;
    chosen[factor] = value;
    partial[table.names[factor] as string] = table.valueOf[value] as string;
  };
  for (const value of given) choose(value);
  const extend = (factor: number): boolean => {
    if (!allowed(partial)) return false;
    let open = factor;
    while (open < chosen.length && (chosen[open] as number) >= 0) open += 1;
    if (open === chosen.length) return true;
    const from = table.first[open] as number;
    const values = Array.from({ length: (table.first[open + 1] as number) - from }, (_, at) => ({
      value: from + at,
      score: score(chosen, from + at),
    })).sort((a, b) => b.score - a.score);
    for (const { value } of values) {
      choose(value);
      if (extend(open + 1)) return true;
    }
    chosen[open] = -1;
    delete partial[table.names[open] as string];
    return false;
  };
  return extend(0) ? chosen : null;
}
