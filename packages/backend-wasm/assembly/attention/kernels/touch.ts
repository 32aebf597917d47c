/** Lines of the caches. */
// @ts-ignore: decorator
@inline
const LINE: usize = 64;

/**
 * Reads one element of every cache line of some rows, in the order in which they lie. Kernels that take
 * several rows at once confuse the hardware's prefetching: from memory, they run at a third of what
 * it can deliver. After this they find their rows in the cache.
 *
 * @param sink 16 bytes to write to, so that the reads have a use
 */
export function touchRows(
  from: usize,
  stride: usize,
  rows: i32,
  bytes: usize,
  sink: usize,
): void {
  let seen = i32x4.splat(0);
  if (stride == bytes) {
    // Rows without a gap are one row.
    bytes *= rows;
    rows = 1;
  }
  while (rows > 0) {
    let p = from;
    const end = from + bytes;
    while (p < end) {
      seen = v128.or(seen, v128.load32_zero(p));
      p += LINE;
    }
    from += stride;
    rows -= 1;
  }
  v128.store(sink, seen);
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

let aheadFrom: usize = 0;
let aheadStride: usize = 0;
let aheadRows: i32 = 0;
let aheadBytes: usize = 0;

/**
 * Chooses rows that `touchAhead` brings into the cache, a few at a time, while others are computed with: memory is read
 * meanwhile. Globals belong to an instance of the module, of which each thread has its own.
 */
export function setAhead(from: usize, stride: usize, rows: i32, bytes: usize): void {
  aheadFrom = from;
  aheadStride = stride;
  aheadRows = rows;
  aheadBytes = bytes;
}

/** Brings the next of those rows into the cache, if any are left. */
export function touchAhead(rows: i32, sink: usize): void {
  rows = min(rows, aheadRows);
  if (rows <= 0) return;
  touchRows(aheadFrom, aheadStride, rows, aheadBytes, sink);
  aheadFrom += aheadStride * <usize>rows;
  aheadRows -= rows;
}
