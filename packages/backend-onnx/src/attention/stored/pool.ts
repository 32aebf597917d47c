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

/** Share of a range's pages that a sequence must have: reading the others is in vain. */
const leastShare = 0.85;

/** Pages of a range at most: the keys in the same place of all pages are added up one after another. */
const mostPages = 2048;

/** Keys from which a run of its own costs a sequence little. */
const leastKeys = 256;

/** Whether calls of a problem may read pages where they are: nothing in them tells keys apart by their index. */
export function mayReadPool(problem: AttentionProblem): boolean {
  const { pages, dtype, kvDtype, alibi, mask, bias, maskMod, scoreMod, blockMask } = problem;
  if (pages === null || dtype !== "float32" || kvDtype !== "float32") return false;
  if (alibi || maskMod || scoreMod || blockMask || wantsAllKeys(problem)) return false;
  if ((mask?.shape[3] ?? 1) > 1 || (bias?.shape[3] ?? 1) > 1) return false;
  return problem.queryLength * headsPerGroup(problem) <= mostRowsOfPages;
}

/** The range of a sequence's pages, or null where the pages of others lie among them. */
export function poolRangeOf(
  { pages }: AttentionProblem,
  table: Int32Array,
  number: number,
  { start, end }: KeyRange,
): PoolRange | null {
  if (pages === null || end - start < leastKeys) return null;
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
  if (lastPage - firstPage + 1 < leastShare * wanted || wanted > mostPages) return null;
  return { first: Math.min(least, count - wanted), count: wanted };
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
    for (let t = 0; t < size; t++) {
      if (given[n * size + t] === 0) continue;
      flags[batch === "pages" ? page * size + t : t * count + page] = 1;
    }
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
