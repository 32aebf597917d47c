import { type AttentionProblem, type BoundAttention, Sequence, visibleBand } from "@heed/core";
import type { BlockMask } from "@heed/core/program";
import { movesWithRows } from "../bounds.js";
import { type Asks, bits, kindsOf } from "./kinds.js";
import { type Pieces, piecesOf } from "./pieces.js";

/** Keys that lie one after another, and what hides some of them from some rows. */
export interface KeyPart {
  readonly first: number;
  /** The key behind the last. */
  readonly end: number;
  /** Whether blocks of it are empty or partial. */
  readonly hasHoles: boolean;
  /** Whether `causal` or a window hides keys of it. */
  readonly isBanded: boolean;
}

/** Whether a rule for blocks or positions hides keys of a part. */
export function hidesKeys({ hasHoles, isBanded }: KeyPart): boolean {
  return hasHoles || isBanded;
}

/** Rows of a visit that lie one after another. */
export interface RowSpan {
  /** The first of them, and its place among the rows of the visit. */
  readonly row: number;
  readonly at: number;
  readonly rows: number;
}

/** Rows that are computed together with the keys that they visit, of one head or of all. */
export interface Visit {
  /** Number of its sequence. */
  readonly sequence: number;
  /** The first of its query heads. */
  readonly head: number;
  /** Its rows, in ascending order, counted within the sequence. */
  readonly spans: readonly RowSpan[];
  /** How many rows all spans have. */
  readonly rows: number;
  /** Keys of all parts together. */
  readonly keys: number;
  /** In ascending order. */
  readonly parts: readonly KeyPart[];
}

/** Indices within the sequence of the rows of a visit; those that are made up behind them are as the last one. */
export function rowIndices({ spans }: Visit, count: number): Int32Array {
  const indices = new Int32Array(count);
  for (const { row, at, rows } of spans) {
    for (let r = 0; r < rows; r++) indices[at + r] = row + r;
  }
  const { row, at, rows } = spans.at(-1) as RowSpan;
  return indices.fill(row + rows - 1, at + rows);
}

/** How many heads there are. */
export interface HeadCounts {
  readonly queries: number;
  readonly keys: number;
}

/** All rows of a call that see any key. */
export interface Visits {
  /** Heads of each visit: all where they visit the same keys, else one. */
  readonly heads: HeadCounts;
  readonly list: readonly Visit[];
  /** Time that they take, in pairs of a query and a key. */
  readonly cost: number;
}

/** Rows or keys of a piece at most where positions hide keys. */
const pieceLength = 64;

/** Rows of a visit that share a key head, at most; blocks of more stay whole. */
const mostRows = 256;

/** Pairs that take as long as gathering a key and its value. */
const costOfKey = 8;

/** Pairs that take as long as preparing a visit. */
const costOfVisit = 500;

/** The visits of a call with a block mask, without what `causal`, a window or lengths hide. */
export function visitsOf(
  problem: AttentionProblem,
  bound: BoundAttention,
  blocks: BlockMask,
  asks: Asks,
): Visits {
  const { sequences, queryHeads, kvHeads, ragged } = problem;
  const heads =
    blocks.shape[1] === 1 ? { queries: queryHeads, keys: kvHeads } : { queries: 1, keys: 1 };
  const isBanded = movesWithRows(visibleBand(problem));
  const most = isBanded ? pieceLength : Number.POSITIVE_INFINITY;
  const list: Visit[] = [];
  let cost = 0;
  let known: readonly RowVisit[] = [];
  let knownLength = -1;
  for (let s = 0; s < sequences; s++) {
    const sequence = new Sequence(problem, bound, s);
    const rows = piecesOf(sequence.queryLength, blocks.queryBlock, most);
    const keys = piecesOf(sequence.keyLength, blocks.keyBlock, most);
    for (let head = 0; head < queryHeads; head += heads.queries) {
      const differs =
        isBanded || ragged || blocks.shape[0] !== 1 || sequence.keyLength !== knownLength;
      if (blocks.shape[1] !== 1 || (head === 0 && differs)) {
        const row = blocks.row(s, head, 0);
        known = rowVisits({ problem, sequence, blocks, row, asks, rows, keys, heads });
        knownLength = sequence.keyLength;
      }
      for (const visit of known) {
        list.push({ sequence: s, head, ...visit });
        cost += costOf(visit, heads);
      }
    }
  }
  return { heads, list, cost };
}

type RowVisit = Omit<Visit, "sequence" | "head">;

/** Neighbouring rows, and how many keys they visit. */
interface Rows {
  readonly row: number;
  readonly rows: number;
  readonly keys: number;
}

/** A matrix of blocks of a sequence. */
interface Matrix {
  readonly problem: AttentionProblem;
  readonly sequence: Sequence;
  readonly blocks: BlockMask;
  /** Its first row of blocks. */
  readonly row: number;
  readonly asks: Asks;
  readonly rows: Pieces;
  readonly keys: Pieces;
  readonly heads: HeadCounts;
}

function costOf({ rows, keys }: Pick<Visit, "rows" | "keys">, heads: HeadCounts): number {
  return costOfVisit + pairsOf(rows, keys, heads);
}

/** Time of rows with the same keys, gathered for them, in pairs. */
export function pairsOf(rows: number, keys: number, heads: HeadCounts): number {
  return keys * heads.queries * rows + costOfKeys(keys, heads);
}

/** Time of gathering keys and values, in pairs. */
export function costOfKeys(keys: number, heads: HeadCounts): number {
  return keys * heads.keys * costOfKey;
}

/**
 * Neighbouring pieces of rows are one visit where that costs no more than visits of their own, and so are rows anywhere that see
 * the same parts, such as those that see every key: these are read once then.
 */
function rowVisits(matrix: Matrix): RowVisit[] {
  const { rows, keys, heads } = matrix;
  const rowsAKey = heads.queries / heads.keys;
  const visits = new SharedParts(Math.floor(mostRows / rowsAKey));
  let kinds = new Uint8Array(0);
  let current: Rows | null = null;
  const close = (): void => {
    if (current && current.keys > 0) visits.add(current, partsOf(kinds, keys));
  };
  for (let piece = 0; piece < rows.count; piece++) {
    const [row, end] = [rows.firstOf(piece), rows.firstOf(piece + 1)];
    const own = kindsOf(matrix, rows.blockOf(piece), row, end);
    const next: Rows = { row, rows: end - row, keys: visitedKeys(own, keys) };
    if (current && rowsAKey * (current.rows + next.rows) <= mostRows) {
      const both: Uint8Array<ArrayBuffer> = own.map((kind, n) => kind | (kinds[n] as number));
      const joined: Rows = {
        row: current.row,
        rows: current.rows + next.rows,
        keys: visitedKeys(both, keys),
      };
      if (costOf(joined, heads) <= costOf(current, heads) + costOf(next, heads)) {
        current = joined;
        kinds = both;
        continue;
      }
    }
    close();
    current = next;
    kinds = own;
  }
  close();
  return visits.list;
}

/** Visits of which each has parts of its own, unless it has as many rows as a visit may have. */
class SharedParts {
  readonly list: RowVisit[] = [];
  /** Places in the list, by parts. */
  readonly #known = new Map<string, number>();
  readonly #mostRows: number;

  constructor(mostRows: number) {
    this.#mostRows = mostRows;
  }

  add({ row, rows, keys }: Rows, parts: readonly KeyPart[]): void {
    const key = JSON.stringify(parts);
    const known = this.#known.get(key);
    const like = known === undefined ? undefined : this.list[known];
    if (known === undefined || like === undefined || like.rows + rows > this.#mostRows) {
      this.#known.set(key, this.list.length);
      this.list.push({ spans: [{ row, rows, at: 0 }], rows, keys, parts });
      return;
    }
    const spans = [...like.spans, { row, rows, at: like.rows }];
    this.list[known] = { ...like, spans, rows: like.rows + rows };
  }
}

function visitedKeys(kinds: Uint8Array, keys: Pieces): number {
  let count = 0;
  for (let n = 0; n < kinds.length; n++) {
    if (((kinds[n] as number) & bits.visited) !== 0) count += keys.firstOf(n + 1) - keys.firstOf(n);
  }
  return count;
}

/** Neighbouring pieces of one kind are one part. */
function partsOf(kinds: Uint8Array, keys: Pieces): KeyPart[] {
  const parts: KeyPart[] = [];
  for (let n = 0; n < kinds.length; ) {
    const kind = kinds[n] as number;
    let end = n + 1;
    while (end < kinds.length && kinds[end] === kind) end++;
    if ((kind & bits.visited) !== 0) {
      parts.push({
        first: keys.firstOf(n),
        end: keys.firstOf(end),
        hasHoles: (kind & bits.holes) !== 0,
        isBanded: (kind & bits.banded) !== 0,
      });
    }
    n = end;
  }
  return parts;
}
