import { madd, sumsOf } from "../../math/simd";
import { chunkOf, touchRows } from "./touch";

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
  let b = a;
  let c = a;
  let e = a;
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
 * Scores of up to four query rows, `scores[j][r]`. Keys are taken two at a time, which halves the loads of the queries,
 * once a chunk of them has been brought into the cache in the order in which it lies: from memory, two rows at once come
 * at a third of the speed of one after another.
 *
 * @param query `[4, bytes/4]`, padded with zeros
 * @param scores `[keys, 4]`
 * @param sink see `touchRows`
 */
export function fewScores(
  query: usize,
  bytes: usize,
  key: usize,
  stride: usize,
  keys: i32,
  scores: usize,
  sink: usize,
): void {
  const most = chunkOf(bytes);
  while (keys > 0) {
    let chunk = min(keys, most);
    touchRows(key, stride, chunk, bytes, sink);
    keys -= chunk;
    while (chunk > 0) {
      // A key that is left over is taken twice: its scores do not depend on whether another is beside it.
      const pair = chunk > 1;
      pairScores(query, bytes, key, key + (pair ? stride : 0), scores, scores + (pair ? 16 : 0));
      key += 2 * stride;
      scores += 32;
      chunk -= 2;
    }
    key += stride * <usize>chunk;
    scores += 16 * <usize>chunk;
  }
}

function pairScores(
  query: usize,
  bytes: usize,
  key: usize,
  other: usize,
  scores: usize,
  otherScores: usize,
): void {
  let a0 = i32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  let b0 = a0;
  let b1 = a0;
  let b2 = a0;
  let b3 = a0;
  const end = query + (bytes & ~31);
  let query1 = query + bytes;
  let query2 = query1 + bytes;
  let query3 = query2 + bytes;
  while (query < end) {
    const x0 = v128.load(key);
    const y0 = v128.load(other);
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
    const x1 = v128.load(key, 16);
    const y1 = v128.load(other, 16);
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
    key += 32;
    other += 32;
  }
  if (bytes & 16) {
    const x = v128.load(key);
    const y = v128.load(other);
    let q = v128.load(query);
    a0 = madd(q, x, a0);
    b0 = madd(q, y, b0);
    q = v128.load(query1);
    a1 = madd(q, x, a1);
    b1 = madd(q, y, b1);
    q = v128.load(query2);
    a2 = madd(q, x, a2);
    b2 = madd(q, y, b2);
    q = v128.load(query3);
    a3 = madd(q, x, a3);
    b3 = madd(q, y, b3);
  }
  v128.store(scores, sumsOf(a0, a1, a2, a3));
  v128.store(otherScores, sumsOf(b0, b1, b2, b3));
}
