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
/** Keys of the unit. */
let unitFirst: i32 = 0;
let unitLast: i32 = 0;
/** Address at which the addresses of shares are stored. */
let shares: usize = 0;
/** First key of the pages at hand, and `D.keyPointer` or `D.valuePointer`, for which those after them are chosen. */
let groupFirst: i32 = 0;
let groupPointer: usize = 0;

/** Bytes of pages that are brought in together: shares of 8 KiB are long enough for the hardware's prefetching. */
// @ts-ignore: decorator
@inline
const GROUP: usize = 65536;

/**
 * Before the first tile of a unit.
 *
 * @param work of its first head, of whose rows' eight sums the last four are free
 */
export function startTiles(d: usize, work: usize, first: i32, last: i32): void {
  followed = false;
  shares = work + size(d, D.workRows) - 4 * SHARES;
  setAhead(0, 0, 0, 0);
  unitFirst = first;
  unitLast = last;
  groupPointer = 0;
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
 * Before a run without gaps: chooses rows that `touchAhead` brings into the cache meanwhile. These are as many as the run
 * has, or some pages after those at hand, of which the unit's heads have all keys side by side.
 *
 * @param pointer `D.keyPointer` or `D.valuePointer`
 * @param bytes of a row
 * @returns whether the run itself was brought in this way
 */
export function bringAhead(d: usize, pointer: usize, from: i32, run: i32, bytes: usize): bool {
  if (!word(d, D.pageTablePointer)) {
    const share = (<usize>run * bytes) / SHARES;
    setAhead(addressInPlace(d, pointer, from + run), share, 0, followed ? share : 0);
    return arrived;
  }
  const page = word(d, D.pageSize);
  const own = <usize>page * bytes;
  if (keyHeads > 1 && headStrideInPlace(d, pointer) != own) return false;
  const all = own * keyHeads;
  let pages = 1;
  while (pages < <i32>SHARES && all * pages < GROUP) pages <<= 1;
  const keys = page * pages;
  const group = from - (from % keys);
  const next = group + keys;
  if (group != groupFirst || pointer != groupPointer) {
    groupFirst = group;
    groupPointer = pointer;
    const share = next + keys <= unitLast ? (all * pages) / SHARES : 0;
    let at = next;
    for (let to = shares; share > 0 && at < next + keys; at += page) {
      let p = addressInPlace(d, pointer, at) - headStrideInPlace(d, pointer) * selectedHead();
      const end = to + 4 * (SHARES / pages);
      while (to < end) {
        store<usize>(to, p);
        p += share;
        to += 4;
      }
    }
    setAhead(load<usize>(shares), 0, shares, share);
  }
  return group > unitFirst && next <= unitLast;
}
