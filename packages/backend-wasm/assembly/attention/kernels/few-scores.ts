import { madd, sumsOf } from "../../math/simd";
import { touchAhead } from "./touch";

/**
 * Scores of one query row: `scores[j] = query · key[j]`. Memory bound: keys are read one after another,
 * in the order in which they lie.
 *
 * @param query the first row of `fewScores`'
 * @param bytes of a query and a key, a multiple of 16
 * @param key keys are `stride` bytes apart, and padded with zeros
 * @param scores `[keys]`, and up to three that are overwritten
 */
export function singleScores(
  query: usize,
  bytes: usize,
  key: usize,
  stride: usize,
  keys: i32,
  scores: usize,
): void {
  while (keys > 0) {
    // Keys that are missing from the last four are the one before them once more.
    const key1 = key + (keys > 1 ? stride : 0);
    const key2 = key1 + (keys > 2 ? stride : 0);
    const key3 = key2 + (keys > 3 ? stride : 0);
    const s0 = dot(query, key, bytes);
    const s1 = dot(query, key1, bytes);
    const s2 = dot(query, key2, bytes);
    const s3 = dot(query, key3, bytes);
    v128.store(scores, sumsOf(s0, s1, s2, s3));
    key += 4 * stride;
    scores += 16;
    keys -= 4;
  }
}

/** Four partial sums of a dot product. */
// @ts-ignore: decorator
@inline
function dot(query: usize, key: usize, bytes: usize): v128 {
  let a = i32x4.splat(0);
  let b = a;
  let c = a;
  let e = a;
  const unrolledEnd = key + (bytes & ~63);
  const end = key + bytes;
  while (key < unrolledEnd) {
    a = madd(v128.load(query), v128.load(key), a);
    b = madd(v128.load(query, 64), v128.load(key, 16), b);
    c = madd(v128.load(query, 128), v128.load(key, 32), c);
    e = madd(v128.load(query, 192), v128.load(key, 48), e);
    query += 256;
    key += 64;
  }
  while (key < end) {
    a = madd(v128.load(query), v128.load(key), a);
    query += 64;
    key += 16;
  }
  return f32x4.add(f32x4.add(a, b), f32x4.add(c, e));
}

/**
 * Scores of up to four query rows, `scores[j][r]`. Keys are taken two at a time, which halves the loads of the queries.
 *
 * @param query four elements of each row side by side, `[bytes/16, 4, 4]`, padded with zeros
 * @param scores `[keys, 4]`
 */
export function fewScores(
  query: usize,
  bytes: usize,
  key: usize,
  stride: usize,
  keys: i32,
  scores: usize,
): void {
  const queryEnd = query + 4 * bytes;
  while (keys > 0) {
    // A key that is left over is taken twice: its scores do not depend on whether another is beside it.
    const pair = keys > 1;
    touchAhead(2 * bytes);
    pairScores(queryEnd, 4 * bytes, key, pair ? stride : 0, scores, pair ? 16 : 0);
    key += 2 * stride;
    scores += 32;
    keys -= 2;
  }
}

/**
 * Counters of a loop begin as sums: V8 extends parameters to 64 bits in every iteration.
 *
 * @param end of the queries
 * @param queryBytes of all four
 * @param step from the key to the other
 * @param scoreStep from the key's scores to the other's
 */
function pairScores(
  end: usize,
  queryBytes: usize,
  from: usize,
  step: usize,
  scores: usize,
  scoreStep: usize,
): void {
  let query = end - queryBytes;
  let other = from + step;
  let key = other - step;
  let a0 = i32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  let b0 = a0;
  let b1 = a0;
  let b2 = a0;
  let b3 = a0;
  const last = end - 64;
  while (query < last) {
    const x0 = v128.load(key);
    const y0 = v128.load(other);
    let q = v128.load(query);
    a0 = madd(q, x0, a0);
    b0 = madd(q, y0, b0);
    q = v128.load(query, 16);
    a1 = madd(q, x0, a1);
    b1 = madd(q, y0, b1);
    q = v128.load(query, 32);
    a2 = madd(q, x0, a2);
    b2 = madd(q, y0, b2);
    q = v128.load(query, 48);
    a3 = madd(q, x0, a3);
    b3 = madd(q, y0, b3);
    const x1 = v128.load(key, 16);
    const y1 = v128.load(other, 16);
    q = v128.load(query, 64);
    a0 = madd(q, x1, a0);
    b0 = madd(q, y1, b0);
    q = v128.load(query, 80);
    a1 = madd(q, x1, a1);
    b1 = madd(q, y1, b1);
    q = v128.load(query, 96);
    a2 = madd(q, x1, a2);
    b2 = madd(q, y1, b2);
    q = v128.load(query, 112);
    a3 = madd(q, x1, a3);
    b3 = madd(q, y1, b3);
    query += 128;
    key += 32;
    other += 32;
  }
  if (query < end) {
    const x = v128.load(key);
    const y = v128.load(other);
    let q = v128.load(query);
    a0 = madd(q, x, a0);
    b0 = madd(q, y, b0);
    q = v128.load(query, 16);
    a1 = madd(q, x, a1);
    b1 = madd(q, y, b1);
    q = v128.load(query, 32);
    a2 = madd(q, x, a2);
    b2 = madd(q, y, b2);
    q = v128.load(query, 48);
    a3 = madd(q, x, a3);
    b3 = madd(q, y, b3);
  }
  v128.store(scores, sumsOf(a0, a1, a2, a3));
  v128.store(scores + scoreStep, sumsOf(b0, b1, b2, b3));
}
