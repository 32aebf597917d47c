import { madd, sumsOf } from "../../math/simd";
import { eight, high, low, maskOf } from "./stored";
import { touchAhead } from "./touch";

// `singleScores` and `fewScores` on keys whose elements are converted in registers: see stored.ts. Keys are in the
// cache already, so that several can be read at once, and `touchAhead` brings as many other rows into it.

/** Keys, as many of which are brought into the cache at once. */
// @ts-ignore: decorator
@inline
const AT_ONCE: i32 = 8;

/**
 * Dot products of one row with keys, four at a time.
 *
 * @param query as in `fewStoredScores`, of which the first row is taken
 * @param bytes of a key, a multiple of eight elements
 * @param scores `[keys]`, and up to three that are overwritten
 */
export function singleStoredScores<Stored>(
  query: usize,
  key: usize,
  bytes: usize,
  stride: usize,
  keys: i32,
  scores: usize,
): void {
  const mask = maskOf<Stored>();
  while (keys > 0) {
    let key0 = key;
    // Keys that are missing from the last four are the one before them once more.
    let key1 = key0 + (keys > 1 ? stride : 0);
    let key2 = key1 + (keys > 2 ? stride : 0);
    let key3 = key2 + (keys > 3 ? stride : 0);
    let s0 = i32x4.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    let q = query;
    const end = key + bytes;
    while (key0 < end) {
      const q0 = v128.load(q);
      const q1 = v128.load(q, 16);
      const x0 = eight<Stored>(key0);
      s0 = madd(q0, low<Stored>(key0, x0, mask), s0);
      s0 = madd(q1, high<Stored>(key0, x0, mask), s0);
      const x1 = eight<Stored>(key1);
      s1 = madd(q0, low<Stored>(key1, x1, mask), s1);
      s1 = madd(q1, high<Stored>(key1, x1, mask), s1);
      const x2 = eight<Stored>(key2);
      s2 = madd(q0, low<Stored>(key2, x2, mask), s2);
      s2 = madd(q1, high<Stored>(key2, x2, mask), s2);
      const x3 = eight<Stored>(key3);
      s3 = madd(q0, low<Stored>(key3, x3, mask), s3);
      s3 = madd(q1, high<Stored>(key3, x3, mask), s3);
      q += 128;
      key0 += 8 * sizeof<Stored>();
      key1 += 8 * sizeof<Stored>();
      key2 += 8 * sizeof<Stored>();
      key3 += 8 * sizeof<Stored>();
    }
    v128.store(scores, sumsOf(s0, s1, s2, s3));
    touchAhead(4 * bytes);
    key += 4 * stride;
    scores += 16;
    keys -= 4;
  }
}

/**
 * Dot products of four rows with keys, two at a time, which halves the loads of the queries, times the keys' scales and the
 * rows' factors. A function of two keys, called in a loop, would take some five cycles more.
 *
 * @param query `[headDim/8, 4, 8]`, each eight in the order of `low` and `high`, and `[4]` factors after them
 * @param bytes of a key, a multiple of eight elements
 * @param scale of the first int8 key
 * @param scaleStride bytes from one scale to the next
 * @param scores `[keys, 4]`, and one more that is overwritten
 */
export function fewStoredScores<Stored>(
  query: usize,
  key: usize,
  bytes: usize,
  stride: usize,
  keys: i32,
  scale: usize,
  scaleStride: usize,
  scores: usize,
): void {
  const mask = maskOf<Stored>();
  const queryBytes = bytes * (16 / sizeof<Stored>());
  const end = query + queryBytes;
  while (keys > 0) {
    touchAhead(AT_ONCE * bytes);
    const last = scores + 16 * <usize>min(keys, AT_ONCE);
    while (scores < last) {
      if (keys == 1) {
        stride = 0;
        scaleStride = 0;
      }
      // Counters of a loop begin as sums: V8 extends parameters to 64 bits in every iteration.
      let q = end - queryBytes;
      let other = key + stride;
      let own = other - stride;
      let a0 = i32x4.splat(0);
      let a1 = a0;
      let a2 = a0;
      let a3 = a0;
      let b0 = a0;
      let b1 = a0;
      let b2 = a0;
      let b3 = a0;
      while (q < end) {
        const x = eight<Stored>(own);
        const y = eight<Stored>(other);
        const x0 = low<Stored>(own, x, mask);
        const y0 = low<Stored>(other, y, mask);
        let row = v128.load(q);
        a0 = madd(row, x0, a0);
        b0 = madd(row, y0, b0);
        row = v128.load(q, 32);
        a1 = madd(row, x0, a1);
        b1 = madd(row, y0, b1);
        row = v128.load(q, 64);
        a2 = madd(row, x0, a2);
        b2 = madd(row, y0, b2);
        row = v128.load(q, 96);
        a3 = madd(row, x0, a3);
        b3 = madd(row, y0, b3);
        const x1 = high<Stored>(own, x, mask);
        const y1 = high<Stored>(other, y, mask);
        row = v128.load(q, 16);
        a0 = madd(row, x1, a0);
        b0 = madd(row, y1, b0);
        row = v128.load(q, 48);
        a1 = madd(row, x1, a1);
        b1 = madd(row, y1, b1);
        row = v128.load(q, 80);
        a2 = madd(row, x1, a2);
        b2 = madd(row, y1, b2);
        row = v128.load(q, 112);
        a3 = madd(row, x1, a3);
        b3 = madd(row, y1, b3);
        q += 128;
        own += 8 * sizeof<Stored>();
        other += 8 * sizeof<Stored>();
      }
      let a = sumsOf(a0, a1, a2, a3);
      let b = sumsOf(b0, b1, b2, b3);
      if (sizeof<Stored>() == 1) {
        a = f32x4.mul(a, v128.load32_splat(scale));
        b = f32x4.mul(b, v128.load32_splat(scale + scaleStride));
        scale += 2 * scaleStride;
      }
      const factors = v128.load(end);
      v128.store(scores, f32x4.mul(a, factors));
      v128.store(scores, f32x4.mul(b, factors), 16);
      key += 2 * stride;
      scores += 32;
      keys -= 2;
    }
  }
}
