import { madd, sumsOf } from "../simd";

/**
 * Scores of one query row: `scores[j] = query · key[j]`. Memory bound: keys are read one after another,
 * in the order in which they lie.
 *
 * @param query `[bytes/4]`, padded with zeros
 * @param bytes of a query and a key, a multiple of 16
 * @param key keys are `stride` bytes apart, and padded with zeros
 * @param scores `[keys]`, padded to a multiple of four with −∞
 */
export function singleScores(
  query: usize,
  bytes: usize,
  key: usize,
  stride: usize,
  keys: i32,
  scores: usize,
): void {
  const hidden = f32x4.splat(-Infinity);
  while (keys >= 4) {
    const s0 = dot(query, key, bytes);
    const s1 = dot(query, key + stride, bytes);
    const s2 = dot(query, key + 2 * stride, bytes);
    const s3 = dot(query, key + 3 * stride, bytes);
    v128.store(scores, sumsOf(s0, s1, s2, s3));
    key += 4 * stride;
    scores += 16;
    keys -= 4;
  }
  if (keys > 0) v128.store(scores, hidden);
  while (keys > 0) {
    const s = dot(query, key, bytes);
    v128.store32_lane(scores, sumsOf(s, s, s, s), 0);
    key += stride;
    scores += 4;
    keys -= 1;
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
 * Scores of up to four query rows, `scores[j][r]`. A key is read once for all of them.
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
  while (keys >= 2) {
    fewScores2(query, bytes, key, stride, scores);
    key += 2 * stride;
    scores += 32;
    keys -= 2;
  }
  if (keys > 0) fewScores1(query, bytes, key, scores);
}

function fewScores2(query: usize, bytes: usize, key: usize, stride: usize, scores: usize): void {
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let a2 = i32x4.splat(0);
  let a3 = i32x4.splat(0);
  let b0 = i32x4.splat(0);
  let b1 = i32x4.splat(0);
  let b2 = i32x4.splat(0);
  let b3 = i32x4.splat(0);
  const end = query + bytes;
  let query1 = query + bytes;
  let query2 = query1 + bytes;
  let query3 = query2 + bytes;
  let next = key + stride;
  while (query < end) {
    const k0 = v128.load(key);
    const k1 = v128.load(next);
    const q0 = v128.load(query);
    a0 = madd(q0, k0, a0);
    b0 = madd(q0, k1, b0);
    const q1 = v128.load(query1);
    a1 = madd(q1, k0, a1);
    b1 = madd(q1, k1, b1);
    const q2 = v128.load(query2);
    a2 = madd(q2, k0, a2);
    b2 = madd(q2, k1, b2);
    const q3 = v128.load(query3);
    a3 = madd(q3, k0, a3);
    b3 = madd(q3, k1, b3);
    query += 16;
    query1 += 16;
    query2 += 16;
    query3 += 16;
    key += 16;
    next += 16;
  }
  v128.store(scores, sumsOf(a0, a1, a2, a3));
  v128.store(scores, sumsOf(b0, b1, b2, b3), 16);
}

function fewScores1(query: usize, bytes: usize, key: usize, scores: usize): void {
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let a2 = i32x4.splat(0);
  let a3 = i32x4.splat(0);
  const end = query + bytes;
  while (query < end) {
    const k0 = v128.load(key);
    a0 = madd(v128.load(query), k0, a0);
    a1 = madd(v128.load(query + bytes), k0, a1);
    a2 = madd(v128.load(query + 2 * bytes), k0, a2);
    a3 = madd(v128.load(query + 3 * bytes), k0, a3);
    query += 16;
    key += 16;
  }
  v128.store(scores, sumsOf(a0, a1, a2, a3));
}
