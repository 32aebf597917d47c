import {
  type AttentionProblem,
  type BoundAttention,
  Sequence,
  visibleBand,
  workGrid,
} from "@heed/core";
import { itemVectors, sequenceVectors, spanKeys } from "./wgsl/gathered.js";
import { tileRows } from "./wgsl/products.js";
import { unbounded } from "./wgsl/rules.js";

/** Whether kernels take rows and keys from lists of the call, which then has integers for them. */
export function isGathered({
  pages,
  ragged,
  queryPositions,
  keyPositions,
}: Pick<AttentionProblem, "pages" | "ragged" | "queryPositions" | "keyPositions">): boolean {
  return pages !== null || ragged !== null || hasPositions({ queryPositions, keyPositions });
}

/** Whether positions of queries and keys are data. */
export function hasPositions({
  queryPositions,
  keyPositions,
}: Pick<AttentionProblem, "queryPositions" | "keyPositions">): boolean {
  return queryPositions !== null || keyPositions !== null;
}

/**
 * A problem with as many batch entries as there are sequences, of the lengths that they have on average:
 * what sizes are chosen for.
 */
export function sequencesOf(problem: AttentionProblem): AttentionProblem {
  const { ragged, sequences, queryLength, keyLength } = problem;
  if (ragged === null) return problem;
  const average = (total: number): number => Math.ceil(total / Math.max(1, sequences));
  return {
    ...problem,
    batch: sequences,
    queryLength: average(queryLength),
    keyLength: ragged.keys ? average(keyLength) : keyLength,
  };
}

/** Stacked rows up to which a sequence beside longer ones is short: those that decode in a ragged batch. */
export const shortRows = 16;

/** The items of a list that workgroups take. */
interface ItemList {
  /** Stacked rows of an item. */
  readonly rows: number;
  /** Fewest and most stacked rows of the sequences whose items are in the list. */
  readonly least: number;
  readonly most: number;
  /** Vectors of `rules` before it. */
  readonly at: number;
  /** The most items that a call may have. */
  readonly items: number;
}

/** Offsets of a call's lists and tables in `rules`: lists in vectors of four integers, tables in integers. */
export interface GatheredLayout {
  readonly lists: readonly ItemList[];
  readonly pages: number;
  readonly queryPositions: number;
  readonly keyPositions: number;
  readonly spans: number;
  /** Spans of a row of positions of keys. */
  readonly spansOfRow: number;
  readonly bytes: number;
}

/** The part of a choice that a layout depends on. */
interface ItemSizes {
  readonly stack: number;
  /**
   * Stacked rows of an item of each list that outputs are computed from: of one, or of one for short
   * sequences and one for the others.
   */
  readonly listRows: readonly number[];
}

/** @param choice whose stack is all heads of a group */
export function gatheredLayout(
  problem: AttentionProblem,
  { stack, listRows }: ItemSizes,
): GatheredLayout {
  const { sequences, queryHeads, pages, queryLength, keyLength, returns } = problem;
  const sizes = [...listRows];
  // Weights and scores are computed in tiles, whatever computes the output.
  const matrix = returns.weights || returns.scores !== null;
  if (matrix && !sizes.includes(tileRows)) sizes.push(tileRows);
  let vectors = sequenceVectors * sequences + queryHeads;
  const lists = sizes.map((rows, i): ItemList => {
    const { batch, blocks } = workGrid(problem, rows);
    const divided = listRows.length > 1;
    const most = divided && i === 0 ? shortRows : Number.POSITIVE_INFINITY;
    const least = divided && i === 1 ? shortRows + 1 : 1;
    // Long sequences are few, and short ones have few items.
    const long = Math.min(sequences, Math.floor((stack * queryLength) / least));
    const items = divided
      ? Math.min(
          blocks,
          Math.floor((stack * queryLength + long * (rows - 1)) / rows),
          sequences * Math.ceil(most / rows),
        )
      : batch * blocks;
    const list = { rows, least, most, at: vectors, items };
    vectors += itemVectors * items;
    return list;
  });
  let next = 4 * vectors;
  const take = (count: number): number => {
    const at = next;
    next += count;
    return at;
  };
  const positions = hasPositions(problem);
  const spansOfRow = Math.ceil(keyLength / spanKeys);
  const keyRows = problem.keyPositions ?? 1;
  return {
    lists,
    pages: take(pages ? sequences * pages.perSequence : 0),
    queryPositions: take(positions ? (problem.queryPositions ?? 1) * queryLength : 0),
    keyPositions: take(positions ? keyRows * keyLength : 0),
    spans: take(positions ? 2 * keyRows * spansOfRow : 0),
    spansOfRow,
    bytes: 16 * Math.max(1, Math.ceil(next / 4)),
  };
}

/** The list of a layout for a kernel that takes so many rows at a time. */
export function listOf({ lists }: GatheredLayout, rows: number): ItemList {
  return lists.find((list) => list.rows === rows) as ItemList;
}

/**
 * Writes a call's sequences, items and tables; see `gatheredRulesFragment`.
 *
 * @param integers of `rules`, zeros; those of the query heads are left as they are
 */
export function encodeGathered(
  bound: BoundAttention,
  { stack }: Pick<ItemSizes, "stack">,
  layout: GatheredLayout,
  integers: Int32Array,
): void {
  const { problem, pageTable } = bound;
  const band = visibleBand(problem);
  const positions = hasPositions(problem);
  if (pageTable) integers.set(pageTable, layout.pages);
  if (positions) encodePositions(bound, layout, integers);
  const next = layout.lists.map(({ at }) => 4 * at);
  for (let s = 0; s < problem.sequences; s++) {
    const sequence = new Sequence(problem, bound, s);
    encodeSequence(problem, sequence, s, layout, integers);
    const end = stack * sequence.queryLength;
    for (const [i, { rows, least, most }] of layout.lists.entries()) {
      if (end < least || end > most) continue;
      for (let start = 0; start < end; start += rows) {
        const from = Math.floor(start / stack);
        const to = Math.floor((Math.min(end, start + rows) - 1) / stack) + 1;
        const { first, last } = sequence.positionsOf(from, to);
        const keys = sequence.keysInSight(band, first, last);
        const at = next[i] as number;
        integers[at] = s;
        integers[at + 1] = start;
        integers[at + 2] = Math.min(end, start + rows);
        integers[at + 4] = keys.start;
        integers[at + 5] = keys.end;
        integers[at + 6] = positions ? first : from;
        integers[at + 7] = positions ? last : to - 1;
        next[i] = at + 4 * itemVectors;
      }
    }
  }
  for (const [i, { at, items }] of layout.lists.entries()) {
    const end = 4 * (at + itemVectors * items);
    for (let rest = next[i] as number; rest < end; rest += 4 * itemVectors) integers[rest] = -1;
  }
}

/** The vectors of sequence s. */
function encodeSequence(
  problem: AttentionProblem,
  sequence: Sequence,
  s: number,
  layout: GatheredLayout,
  integers: Int32Array,
): void {
  const { pages, queryLength, keyLength } = problem;
  const { left, right } = visibleBand(problem);
  const at = 4 * sequenceVectors * s;
  const { offset, queryStart, keyStart, batch } = sequence;
  integers[at] = sequence.keyLength;
  if (hasPositions(problem)) {
    // Distances without signs, of which none is larger than "unbounded".
    integers[at + 1] = Math.min(left, 2 ** 32 - 1);
    integers[at + 2] = Math.min(right, 2 ** 32 - 1);
  } else {
    integers[at + 1] = clamp(offset - left);
    integers[at + 2] = clamp(offset + right);
  }
  integers[at + 3] = offset;
  integers[at + 4] = queryStart;
  integers[at + 5] = keyStart;
  integers[at + 6] = batch;
  integers[at + 7] = layout.pages + s * (pages?.perSequence ?? 0);
  const queryRow = (problem.queryPositions ?? 1) === 1 ? 0 : s;
  const keyRow = (problem.keyPositions ?? 1) === 1 ? 0 : s;
  integers[at + 8] = layout.queryPositions + queryRow * queryLength + queryStart;
  integers[at + 9] = layout.keyPositions + keyRow * keyLength + keyStart;
  integers[at + 10] = layout.spans + keyRow * 2 * layout.spansOfRow;
}

const clamp = (edge: number): number => Math.max(-unbounded, Math.min(unbounded, edge));

/** Positions of queries and keys; indices where a call has those of the other side alone. */
function encodePositions(
  { problem, queryPositions, keyPositions, queryStarts, keyStarts }: BoundAttention,
  layout: GatheredLayout,
  integers: Int32Array,
): void {
  if (queryPositions) integers.set(queryPositions, layout.queryPositions);
  else fillIndices(integers, layout.queryPositions, problem.queryLength, queryStarts);
  if (keyPositions) integers.set(keyPositions, layout.keyPositions);
  else fillIndices(integers, layout.keyPositions, problem.keyLength, keyStarts);
  const { keyLength } = problem;
  let at = layout.spans;
  for (let row = 0; row < (problem.keyPositions ?? 1); row++) {
    const first = layout.keyPositions + row * keyLength;
    for (let start = 0; start < keyLength; start += spanKeys) {
      let smallest = integers[first + start] as number;
      let largest = smallest;
      const end = first + Math.min(keyLength, start + spanKeys);
      for (let key = first + start + 1; key < end; key++) {
        const position = integers[key] as number;
        if (position < smallest) smallest = position;
        if (position > largest) largest = position;
      }
      integers[at] = smallest;
      integers[at + 1] = largest;
      at += 2;
    }
  }
}

/** Indices within each sequence. */
function fillIndices(
  integers: Int32Array,
  at: number,
  count: number,
  starts: Int32Array | null,
): void {
  let sequence = 0;
  let start = 0;
  for (let i = 0; i < count; i++) {
    while (starts && sequence + 1 < starts.length && i >= (starts[sequence + 1] as number)) {
      sequence += 1;
      start = starts[sequence] as number;
    }
    integers[at + i] = i - start;
  }
}
