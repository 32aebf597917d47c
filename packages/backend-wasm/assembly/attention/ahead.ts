import * as D from "../../src/shared/attention";
import { size, word } from "../descriptor";
import { setAhead, SHARES } from "./kernels/touch";
import { addressInPlace, headStrideInPlace } from "./tile-source";
import { keyHead, keyHeads, selectedHead } from "./unit";

// Which keys or values the kernels for few rows bring into the cache while they compute with those before them.

/** Addresses of the keys and the values that were brought into the cache while those before them were multiplied. */
let keysAhead: usize = 0;
let valuesAhead: usize = 0;
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
    const at = addressInPlace(d, pointer, from);
    const isKeys = pointer == D.keyPointer;
    const came = at == (isKeys ? keysAhead : valuesAhead);
    const next = followed ? at + <usize>run * bytes : nextHead(d, pointer, from, run);
    const share = (<usize>run * bytes) / SHARES;
    setAhead(next, share, 0, next ? share : 0);
    if (next && isKeys) keysAhead = next;
    else if (next) valuesAhead = next;
    return came;
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

/** Address of the first tile of the key head after the selected one, which the last tile as long is followed by, or 0. */
function nextHead(d: usize, pointer: usize, from: i32, run: i32): usize {
  const first = unitFirst;
  if (!word(d, D.unitsInTurn) || keyHead + 1 == word(d, D.kvHeads)) return 0;
  if (from > first && run < word(d, D.fewTileKeys)) return 0;
  return addressInPlace(d, pointer, first) + headStrideInPlace(d, pointer);
}
