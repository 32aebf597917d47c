import { madd, sumsOf } from "../../math/simd";

/**
 * Scores of one query row: `scores[j] = query · key[j]`. Memory bound: keys are read one after another,
 * in the order in which they lie.
 *
 * @param query `[bytes/4]`, padded with zeros
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
  let b = i32x4.splat(0);
  let c = i32x4.splat(0);
  let e = i32x4.splat(0);
  const unrolledEnd = key + (bytes & ~63);
  const end = key + bytes;
  while (key < unrolledEnd) {
    a = madd(v128.load(query), v128.load(key), a);
    b = madd(v128.load(query, 16), v128.load(key, 16), b);
    c = madd(v128.load(query, 32), v128.load(key, 32), c);
    e = madd(v128.load(query, 48), v128.load(key, 48), e);
    query += 64;
    key += 64;
  }
  while (key < end) {
    a = madd(v128.load(query), v128.load(key), a);
    query += 16;
    key += 16;
  }
  return f32x4.add(f32x4.add(a, b), f32x4.add(c, e));
}

/**
 * Scores of up to four query rows, `scores[j][r]`. A key is read once for all of them, and keys one
 * after another: taking two at once saves loads of the queries, but memory then delivers a third.
 *
 * @param query `[4, bytes/4]`, padded with zeros
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
  while (keys > 0) {
    fewScores1(query, bytes, key, scores);
    key += stride;
    scores += 16;
    keys -= 1;
  }
}

/** Two accumulators a row: one could not hide the latency of a multiply-add. */
function fewScores1(query: usize, bytes: usize, key: usize, scores: usize): void {
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let a2 = i32x4.splat(0);
  let a3 = i32x4.splat(0);
  let b0 = i32x4.splat(0);
  let b1 = i32x4.splat(0);
  let b2 = i32x4.splat(0);
  let b3 = i32x4.splat(0);
  const end = query + (bytes & ~31);
  let query1 = query + bytes;
  let query2 = query1 + bytes;
  let query3 = query2 + bytes;
  while (query < end) {
    const k0 = v128.load(key);
    const k1 = v128.load(key, 16);
    a0 = madd(v128.load(query), k0, a0);
    a1 = madd(v128.load(query1), k0, a1);
    a2 = madd(v128.load(query2), k0, a2);
    a3 = madd(v128.load(query3), k0, a3);
    b0 = madd(v128.load(query, 16), k1, b0);
    b1 = madd(v128.load(query1, 16), k1, b1);
    b2 = madd(v128.load(query2, 16), k1, b2);
    b3 = madd(v128.load(query3, 16), k1, b3);
    query += 32;
    query1 += 32;
    query2 += 32;
    query3 += 32;
    key += 32;
  }
  if (bytes & 16) {
    const k0 = v128.load(key);
    a0 = madd(v128.load(query), k0, a0);
    a1 = madd(v128.load(query1), k0, a1);
    a2 = madd(v128.load(query2), k0, a2);
    a3 = madd(v128.load(query3), k0, a3);
  }
  const s0 = f32x4.add(a0, b0);
  const s1 = f32x4.add(a1, b1);
  const s2 = f32x4.add(a2, b2);
  const s3 = f32x4.add(a3, b3);
  v128.store(scores, sumsOf(s0, s1, s2, s3));
}
