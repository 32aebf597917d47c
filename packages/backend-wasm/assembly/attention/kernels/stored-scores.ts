import { madd, sumsOf } from "../../math/simd";
import { eight, high, low, maskOf } from "./stored";

// `singleScores` and `fewScores` on keys whose elements are converted in registers: see stored.ts. Keys are in the
// cache already, so that several can be read at once.

/**
 * Dot products of one row with keys, four at a time.
 *
 * @param query as in `singleScores`
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
  const mask = maskOf();
  while (keys > 0) {
    let key0 = key;
    // Keys that are missing from the last four are the one before them once more.
    let key1 = key0 + (keys > 1 ? stride : 0);
    let key2 = key1 + (keys > 2 ? stride : 0);
    let key3 = key2 + (keys > 3 ? stride : 0);
    let s0 = i32x4.splat(0);
    let s1 = i32x4.splat(0);
    let s2 = i32x4.splat(0);
    let s3 = i32x4.splat(0);
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
      q += 32;
      key0 += 8 * sizeof<Stored>();
      key1 += 8 * sizeof<Stored>();
      key2 += 8 * sizeof<Stored>();
      key3 += 8 * sizeof<Stored>();
    }
    v128.store(scores, sumsOf(s0, s1, s2, s3));
    key += 4 * stride;
    scores += 16;
    keys -= 4;
  }
}

/**
 * Dot products of four rows with keys, two at a time, which halves the loads of the queries.
 *
 * @param query `[4, headDim]`
 * @param rowBytes from one row of the queries to the next
 * @param bytes of a key, a multiple of eight elements
 * @param scores `[keys, 4]`, and one more that is overwritten
 */
export function fewStoredScores<Stored>(
  query: usize,
  rowBytes: usize,
  key: usize,
  bytes: usize,
  stride: usize,
  keys: i32,
  scores: usize,
): void {
  while (keys > 0) {
    pairScores<Stored>(query, rowBytes, key, key + (keys > 1 ? stride : 0), bytes, scores);
    key += 2 * stride;
    scores += 32;
    keys -= 2;
  }
}

function pairScores<Stored>(
  query: usize,
  rowBytes: usize,
  key: usize,
  other: usize,
  bytes: usize,
  scores: usize,
): void {
  const mask = maskOf();
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let a2 = i32x4.splat(0);
  let a3 = i32x4.splat(0);
  let b0 = i32x4.splat(0);
  let b1 = i32x4.splat(0);
  let b2 = i32x4.splat(0);
  let b3 = i32x4.splat(0);
  let query1 = query + rowBytes;
  let query2 = query1 + rowBytes;
  let query3 = query2 + rowBytes;
  const end = key + bytes;
  while (key < end) {
    const x = eight<Stored>(key);
    const y = eight<Stored>(other);
    const x0 = low<Stored>(key, x, mask);
    const y0 = low<Stored>(other, y, mask);
    let q = v128.load(query);
    a0 = madd(q, x0, a0);
    b0 = madd(q, y0, b0);
    q = v128.load(query1);
    a1 = madd(q, x0, a1);
    b1 = madd(q, y0, b1);
    q = v128.load(query2);
    a2 = madd(q, x0, a2);
    b2 = madd(q, y0, b2);
    q = v128.load(query3);
    a3 = madd(q, x0, a3);
    b3 = madd(q, y0, b3);
    const x1 = high<Stored>(key, x, mask);
    const y1 = high<Stored>(other, y, mask);
    q = v128.load(query, 16);
    a0 = madd(q, x1, a0);
    b0 = madd(q, y1, b0);
    q = v128.load(query1, 16);
    a1 = madd(q, x1, a1);
    b1 = madd(q, y1, b1);
    q = v128.load(query2, 16);
    a2 = madd(q, x1, a2);
    b2 = madd(q, y1, b2);
    q = v128.load(query3, 16);
    a3 = madd(q, x1, a3);
    b3 = madd(q, y1, b3);
    query += 32;
    query1 += 32;
    query2 += 32;
    query3 += 32;
    key += 8 * sizeof<Stored>();
    other += 8 * sizeof<Stored>();
  }
  v128.store(scores, sumsOf(a0, a1, a2, a3));
  v128.store(scores, sumsOf(b0, b1, b2, b3), 16);
}
