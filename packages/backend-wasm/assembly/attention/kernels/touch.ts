/** Lines of the caches. */
// @ts-ignore: decorator
@inline
export const LINE: usize = 64;
/** Pages of memory, at whose ends the hardware's prefetching stops. */
// @ts-ignore: decorator
@inline
const PAGE: usize = 4096;
/** Pages that are read at once. */
// @ts-ignore: decorator
@inline
const STREAMS: usize = 8;

/** Brings the cache line of an address into the cache: engines keep a load whose result is not used, since it may trap. */
// @ts-ignore: decorator
@inline
export function touch(address: usize): void {
  load<i32>(address);
}

/**
 * Reads one element of every cache line of some rows. Kernels that take several rows of a page at once confuse the
 * hardware's prefetching: from memory, they run at a third of what it can deliver. After this they find their rows in the
 * cache. A line of each of several pages in turn comes faster than one page after another, since prefetching begins anew
 * with each page.
 */
export function touchRows(from: usize, stride: usize, rows: i32, bytes: usize): void {
  if (stride == bytes) {
    // Rows without a gap are one row.
    bytes *= rows;
    rows = 1;
  }
  while (rows > 0) {
    let p = from;
    const end = from + bytes;
    while (end - p >= STREAMS * PAGE) {
      const last = p + PAGE;
      while (p < last) {
        touch(p);
        touch(p + PAGE);
        touch(p + 2 * PAGE);
        touch(p + 3 * PAGE);
        touch(p + 4 * PAGE);
        touch(p + 5 * PAGE);
        touch(p + 6 * PAGE);
        touch(p + 7 * PAGE);
        p += LINE;
      }
      p += (STREAMS - 1) * PAGE;
    }
    while (p < end) {
      touch(p);
      p += LINE;
    }
    from += stride;
    rows -= 1;
  }
}

/**
 * Keys or values that are brought into the cache and then used: 8 KiB of them, and at least 16. Of more at once, the
 * first are gone again; fewer start the kernels more often.
 *
 * @param bytes of one
 */
export function chunkOf(bytes: usize): i32 {
  return max(16, min(64, <i32>(8192 / bytes))) & -4;
}

/** Shares of what is brought into the cache ahead, of which a line each is read at once: see `touchRows`. */
// @ts-ignore: decorator
@inline
export const SHARES: usize = 8;

let aheadNext: usize = 0;
let aheadEnd: usize = 0;
let aheadStep: usize = 0;
let aheadShares: usize = 0;
let aheadDue: usize = 0;

/**
 * Chooses what `touchAhead` brings into the cache while something else is computed with. Globals belong to an instance of
 * the module, of which each thread has its own.
 *
 * @param from the first of the shares
 * @param step bytes from one share to the next
 * @param shares where the shares' addresses are stored if they lie anywhere, and 0 otherwise
 * @param bytes of each; 0 for nothing
 */
export function setAhead(from: usize, step: usize, shares: usize, bytes: usize): void {
  aheadNext = from;
  aheadEnd = from + (bytes & -LINE);
  aheadStep = step;
  aheadShares = shares;
  aheadDue = 0;
}

/**
 * Brings as many bytes as are being computed with, by lines of all shares: loads that miss the cache wait together, where
 * single ones between multiplications fill the processor's window of instructions one by one.
 */
export function touchAhead(bytes: usize): void {
  let due = aheadDue + bytes;
  while (due >= SHARES * LINE) {
    const first = aheadNext;
    if (first >= aheadEnd) break;
    const step = aheadStep;
    if (step == 0) {
      touchShares(first);
    } else {
      let p = first;
      touch(p);
      touch((p += step));
      touch((p += step));
      touch((p += step));
      touch((p += step));
      touch((p += step));
      touch((p += step));
      touch((p += step));
    }
    aheadNext = first + LINE;
    due -= SHARES * LINE;
  }
  aheadDue = due;
}

/** @param at an address in the first of the shares */
// @ts-ignore: decorator
@inline
function touchShares(at: usize): void {
  const shares = aheadShares;
  at -= load<usize>(shares);
  touch(load<usize>(shares) + at);
  touch(load<usize>(shares, 4) + at);
  touch(load<usize>(shares, 8) + at);
  touch(load<usize>(shares, 12) + at);
  touch(load<usize>(shares, 16) + at);
  touch(load<usize>(shares, 20) + at);
  touch(load<usize>(shares, 24) + at);
  touch(load<usize>(shares, 28) + at);
}
