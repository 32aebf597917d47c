import { variantSplat, variantSpread, variantSpreadByTwo } from "../shared/attention.js";

/**
 * How panels read a tile of keys or values; all of them form the same sums in the same order.
 *
 * - `"splat"`: elements are loaded into all lanes, one at a time, where they lie.
 * - `"spread"`: the tile is copied first, each element to four lanes, so that kernels load whole vectors at constant
 *   offsets. It costs a copy, and saves instructions where an engine makes several of a load into all lanes.
 * - `"spread-by-two"`: the same with two steps in an iteration of the kernel's loop.
 */
export type TileVariant = "splat" | "spread" | "spread-by-two";

/** Numbers of the variants in descriptors. */
export const variantNumbers: Readonly<Record<TileVariant, number>> = {
  splat: variantSplat,
  spread: variantSpread,
  "spread-by-two": variantSpreadByTwo,
};

/** All variants; the first is used until they are measured. */
export const tileVariants: readonly [TileVariant, ...TileVariant[]] = [
  "splat",
  "spread",
  "spread-by-two",
];
