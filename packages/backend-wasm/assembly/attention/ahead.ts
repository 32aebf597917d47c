import * as D from "../../src/shared/attention";
import { size, word } from "../descriptor";
import { setAhead, SHARES } from "./kernels/touch";
import { addressInPlace, headStrideInPlace } from "./tile-source";
import { keyHeads, selectedHead } from "./unit";

// Which keys or values the kernels for few rows bring into the cache while they compute with those before them.

/** Whether keys and values of the tile at hand were brought into the cache while the tile before it was multiplied. */
let arrived: bool = false;
/** Whether a tile as long follows, to be brought into the cache meanwhile. */
let followed: bool = false;
/** Keys of the unit, of which those in pages are brought into the cache page by page. */
let unitFirst: i32 = 0;
let unitLast: i32 = 0;
/** The page after the one at hand, from the unit's first head on: heads take turns. */
let nextPage: usize = 0;

/** Bytes of a page from which on its shares are long enough for the hardware's prefetching. */
// @ts-ignore: decorator
@inline
const LEAST: usize = 16384;

/** Before the first tile of a unit. */
export function startTiles(first: i32, last: i32): void {
  followed = false;
  setAhead(0, 0, 0);
  unitFirst = first;
  unitLast = last;
}

/**
 * Before each tile.
 *
 * @param last whether no tile as long as this one follows
 */
export function nextTile(last: bool): void {
  arrived = followed;
  followed = !last;
}

/**
 * Chooses rows that `touchAhead` brings into the cache while a run without gaps is computed with: as many as it has, or
 * of a page of which the unit's heads have all keys side by side, each head a share.
 *
 * @param pointer `D.keyPointer` or `D.valuePointer`
 * @param bytes of a row
 * @returns whether the run itself was brought in this way
 */
export function bringAhead(d: usize, pointer: usize, from: i32, run: i32, bytes: usize): bool {
  const next = from + run;
  const own = <usize>run * bytes;
  const share = own / SHARES;
  if (!word(d, D.pageTablePointer)) {
    setAhead(followed ? addressInPlace(d, pointer, next) : 0, share, share);
    return arrived;
  }
  const isWhole = run == word(d, D.pageSize) && (keyHeads == 1 || headStrideInPlace(d, pointer) == own);
  const brings = isWhole && own * keyHeads >= LEAST;
  const follows = brings && next + run <= unitLast;
  const head = selectedHead();
  if (follows && head == 0) nextPage = addressInPlace(d, pointer, next);
  setAhead(follows ? nextPage + share * <usize>head : 0, share * <usize>keyHeads, share);
  return brings && from - run >= unitFirst;
}
