import { type AttentionProblem, headsPerGroup } from "@heed/core";
import { canonicalOrder } from "../../layout/axis-order.js";
import type { ProviderTraits } from "../../runtime/traits.js";
import type { GraphSpec, HiddenGuard } from "../graph/spec.js";
import type { StorageSpec } from "../graph/storage.js";

/** Bytes of float32 keys that a part has, about: so many are still in a core's cache when they are multiplied. */
const bytesOfPart = 2 ** 19;

/** Parts of a graph at most, since each has nodes of its own. */
const mostParts = 32;

/** Rows that share keys, at most: with more, products take so long that a copy of the keys adds little to them. */
export const mostRowsOfPages = 16;

/**
 * In how many parts a graph gathers the pages of a group; see `StorageSpec.parts`. They are a power of two, so that a
 * decode loop needs few sessions.
 *
 * @param problem of the group: its `keyLength` is a multiple of the page size
 * @param pageSize keys of a page
 */
export function pageParts(
  problem: AttentionProblem,
  pageSize: number,
  { keys, dtype, scalesRows }: StorageSpec,
  guard: HiddenGuard,
  order: GraphSpec["order"],
  { readsInPlace }: ProviderTraits,
): number {
  const { batch, kvHeads, keyLength, headDim, valueDim } = problem;
  const rows = problem.queryLength * headsPerGroup(problem);
  // A guard looks at all values at once.
  if (keys !== "pages" || guard !== "none" || !readsInPlace || rows > mostRowsOfPages) return 1;
  if (order.key !== canonicalOrder || order.value !== canonicalOrder) return 1;
  if (dtype === "int8" && !scalesRows) return 1;
  const bytes = 4 * batch * kvHeads * keyLength * Math.max(headDim, valueDim);
  const parts = 2 ** Math.round(Math.log2(bytes / bytesOfPart));
  const pages = 2 ** Math.floor(Math.log2(keyLength / pageSize));
  return Math.max(1, Math.min(mostParts, parts, pages));
}

/** Sizes of parts that are as even as whole numbers allow. */
export function partSizes(count: number, parts: number): readonly number[] {
  const end = (part: number): number => Math.floor((part * count) / parts);
  return Array.from({ length: parts }, (_, part) => end(part + 1) - end(part));
}
