import { type AttentionProblem, headsPerGroup, type KeyRange, type Sequence } from "@heed/core";
import type { Bounds } from "../bounds.js";
import { keyFlags, seenByFlags } from "../seen-keys.js";
import { bucket, type Group, wantsAllKeys } from "./groups.js";
import { mostRowsOfPages } from "./page-parts.js";

/** Pages of a pool that lie side by side, and are read where they are. */
export interface PoolRange {
  readonly first: number;
  readonly count: number;
}

/** Share of the keys from which all of them are read, since choosing some copies them once more. */
export const mostOfThem = 0.75;

/** Share of a range's pages that a sequence must have: reading the others is in vain. */
const leastShare = 0.85;

/** Pages of a range at most: the keys in the same place of all pages are added up one after another. */
const mostPages = 2048;

/** Keys from which a run of its own costs a sequence little. */
const leastKeys = 256;

/**
 * Whether calls of a problem may read pages where they are: nothing in them tells keys apart by their index.
 *
 * @param byHead whether pages lie head by head: products with others are written for float32 alone
 */
export function mayReadPool(problem: AttentionProblem, byHead: boolean): boolean {
  const { pages, dtype, kvDtype, alibi, mask, bias, maskMod, scoreMod, blockMask } = problem;
  if (pages === null) return false;
  if (!byHead && (dtype !== "float32" || kvDtype !== "float32")) return false;
  if (alibi || maskMod || scoreMod || blockMask || wantsAllKeys(problem)) return false;
  if ((mask?.shape[3] ?? 1) > 1 || (bias?.shape[3] ?? 1) > 1) return false;
  return problem.queryLength * headsPerGroup(problem) <= mostRowsOfPages;
}

/** The range of a sequence's pages, or null where the pages of others lie among them. */
export function poolRangeOf(
  problem: AttentionProblem,
  table: Int32Array,
  number: number,
  sight: KeyRange,
): PoolRange | null {
  const found = usedRange(problem, table, number, sight);
  if (found === null) return null;
  return found.used < leastShare * found.count || found.count > mostPages ? null : found;
}

/** As {@link poolRangeOf}, of pages that lie head by head: all of them where those of others are few, else a range to be cut. */
export function headRangeOf(
  problem: AttentionProblem,
  table: Int32Array,
  number: number,
  sight: KeyRange,
): PoolRange | null {
  const found = usedRange(problem, table, number, sight);
  if (found === null) return null;
  const all = problem.pages?.count as number;
  if (found.used >= mostOfThem * all) return { first: 0, count: all };
  return found.used < leastShare * found.count ? null : found;
}

/** The least range that has all pages of a sequence, and how many of it are used; null for few keys. */
function usedRange(
  { pages, sequences }: AttentionProblem,
  table: Int32Array,
  number: number,
  { start, end }: KeyRange,
): (PoolRange & { readonly used: number }) | null {
  if (pages === null || end - start < (sequences === 1 ? 1 : leastKeys)) return null;
  const { size, perSequence, count } = pages;
  const from = number * perSequence;
  let [least, most] = [count, -1];
  const [firstPage, lastPage] = [Math.floor(start / size), Math.floor((end - 1) / size)];
  for (let n = firstPage; n <= lastPage; n++) {
    const page = table[from + n] as number;
    if (page < 0) return null;
    least = Math.min(least, page);
    most = Math.max(most, page);
  }
  const span = most - least + 1;
  const wanted = Math.min(count, Math.ceil(bucket(span * size) / size));
  const used = lastPage - firstPage + 1;
  return { first: Math.min(least, count - wanted), count: wanted, used };
}

/**
 * The bounds of a group that reads a range of the pool, with its keys in the order of {@link PoolSpec}.
 *
 * @param bounds of the group with its keys in the order of their index, from the group's start on
 */
export function poolBounds(
  { pages }: AttentionProblem,
  { entries, sequences, keys }: Group,
  bounds: Bounds,
  table: Int32Array,
  { first, count }: PoolRange,
  batch: "pages" | "places",
): Bounds {
  const { size, perSequence } = pages as NonNullable<AttentionProblem["pages"]>;
  const { start } = entries[0] as { readonly start: number; readonly sequence: Sequence };
  const from = (sequences[0] as number) * perSequence + start / size;
  const given = keyFlags(bounds.seen, keys);
  const flags = new Uint8Array(count * size);
  for (let n = 0; n < keys / size; n++) {
    const page = n + start / size < perSequence ? (table[from + n] as number) - first : -1;
    if (page < 0 || page >= count) continue;
    const at = batch === "pages" ? page * size : page;
    const step = batch === "pages" ? 1 : count;
    for (let t = 0; t < size; t++) flags[at + t * step] = given[n * size + t] as number;
  }
  const band = {
    first: false,
    last: true,
    perRow: false,
    emptyRows: bounds.band?.emptyRows ?? false,
    diagonal: null,
    ranked: false,
  };
  const any = flags.includes(1);
  return {
    ...bounds,
    first: Int32Array.of(0),
    last: Int32Array.of(any ? 0 : -1),
    band,
    seen: [seenByFlags(flags)],
  };
}
