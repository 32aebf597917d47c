import { madd } from "../../math/simd";
import { LEAST, lesserGroups, MOST, takesMost } from "./groups";

// How far keys are apart, as an argument that is a constant where it is used: `64 · sizeof<Row>()` bytes.
type Row64 = u32;
type Row128 = u64;

/**
 * Scores of a panel of 8 query rows, transposed: `scores[j][r] = Σ key[j][d] · query[d][r]`. Keys are
 * read where they lie, one element at a time into all lanes; the rows are the lanes.
 *
 * The variants are written out: a loop over keys would put the accumulators into memory, and nothing in
 * AssemblyScript unrolls one. Their odder lines are for the code that V8 makes of them: see
 * docs/kernels/wasm.md, Code generation. Every variant forms a score by the same additions in the same order.
 *
 * @param query the panel, `[size, 8]`
 * @param size elements of a query and a key
 * @param key the first key; keys are `stride` bytes apart
 * @param keys how many
 * @param scores `[keys, 8]`, written
 * @param half whether only the first four rows are needed
 */
export function panelScores(
  query: usize,
  size: i32,
  key: usize,
  stride: usize,
  keys: i32,
  scores: usize,
  half: bool,
): void {
  const bytes = 32 * <usize>size;
  const end = query + bytes;
  if (half && keys >= HALF_KEYS) {
    halfScores(query, end, key, stride, keys, scores);
    return;
  }
  let left = keys;
  for (let groups = lesserGroups(left); groups > 0; groups--) {
    if (ASC_FEATURE_RELAXED_SIMD) scores5(bytes, end, key - stride, stride, scores);
    else scores4(query, end, key, stride, scores);
    key += (MOST - 1) * stride;
    scores += (MOST - 1) * 32;
    left -= MOST - 1;
  }
  while (takesMost(left)) {
    if (ASC_FEATURE_RELAXED_SIMD) scores6(bytes, end, key - stride, stride, scores);
    else if (stride == 64 * sizeof<Row64>()) scores5Fixed<Row64>(bytes, end, key - stride, scores);
    else if (stride == 64 * sizeof<Row128>()) scores5Fixed<Row128>(bytes, end, key - stride, scores);
    else scores5(bytes, end, key - stride, stride, scores);
    key += MOST * stride;
    scores += MOST * 32;
    left -= MOST;
  }
  while (left > 0) {
    if (keys < LEAST) {
      scores1(query, end, key, scores);
      key += stride;
      scores += 32;
      left -= 1;
      continue;
    }
    // The last group goes back over keys that are done, and stores the same again.
    const again = left < LEAST ? LEAST - left : 0;
    key -= again * stride;
    scores -= again * 32;
    scores4(query, end, key, stride, scores);
    key += LEAST * stride;
    scores += LEAST * 32;
    left -= LEAST - again;
  }
}

/** Keys at once for four rows. */
// @ts-ignore: decorator
@inline
const HALF_KEYS: i32 = 6;

/** The first four rows of a panel against at least `HALF_KEYS` keys. */
function halfScores(
  query: usize,
  end: usize,
  key: usize,
  stride: usize,
  keys: i32,
  scores: usize,
): void {
  const before = keys - HALF_KEYS;
  const lastKey = key + before * stride;
  const last = scores + before * 32;
  while (scores < last) {
    halfScores6(query, end, key, stride, scores);
    key += HALF_KEYS * stride;
    scores += HALF_KEYS * 32;
  }
  halfScores6(query, end, lastKey, stride, last);
}

/** 6 keys against four rows: 6 accumulators. */
function halfScores6(query: usize, end: usize, key: usize, stride: usize, scores: usize): void {
  let s0 = i32x4.splat(0);
  let s1 = i32x4.splat(0);
  let s2 = i32x4.splat(0);
  let s3 = i32x4.splat(0);
  let s4 = i32x4.splat(0);
  let s5 = i32x4.splat(0);
  let key1 = key + stride;
  let key2 = key1 + stride;
  let key3 = key2 + stride;
  let key4 = key3 + stride;
  let key5 = key4 + stride;
  while (query < end) {
    const q = v128.load(query);
    s0 = madd(v128.load32_splat(key), q, s0);
    s1 = madd(v128.load32_splat(key1), q, s1);
    s2 = madd(v128.load32_splat(key2), q, s2);
    s3 = madd(v128.load32_splat(key3), q, s3);
    s4 = madd(v128.load32_splat(key4), q, s4);
    s5 = madd(v128.load32_splat(key5), q, s5);
    query += 32;
    key += 4;
    key1 += 4;
    key2 += 4;
    key3 += 4;
    key4 += 4;
    key5 += 4;
  }
  v128.store(scores, s0, 0);
  v128.store(scores, s1, 32);
  v128.store(scores, s2, 64);
  v128.store(scores, s3, 96);
  v128.store(scores, s4, 128);
  v128.store(scores, s5, 160);
}

/** 5 keys against a panel, `64 · sizeof<Row>()` bytes apart. */
function scores5Fixed<Row>(bytes: usize, end: usize, before: usize, scores: usize): void {
  let s00 = i32x4.splat(0);
  let s01 = i32x4.splat(0);
  let s10 = i32x4.splat(0);
  let s11 = i32x4.splat(0);
  let s20 = i32x4.splat(0);
  let s21 = i32x4.splat(0);
  let s30 = i32x4.splat(0);
  let s31 = i32x4.splat(0);
  let s40 = i32x4.splat(0);
  let s41 = i32x4.splat(0);
  let query = end - bytes;
  let key = before + 64 * sizeof<Row>();
  v128.load32_splat(key, 64 * sizeof<Row>());
  v128.load32_splat(key, 128 * sizeof<Row>());
  v128.load32_splat(key, 192 * sizeof<Row>());
  v128.load32_splat(key, 256 * sizeof<Row>());
  while (query < end) {
    const q0 = v128.load(query);
    const q1 = v128.load(query, 16);
    const k0 = v128.load32_splat(key);
    s00 = madd(k0, q0, s00);
    s01 = madd(k0, q1, s01);
    const k1 = v128.load32_splat(key, 64 * sizeof<Row>());
    s10 = madd(k1, q0, s10);
    s11 = madd(k1, q1, s11);
    const k2 = v128.load32_splat(key, 128 * sizeof<Row>());
    s20 = madd(k2, q0, s20);
    s21 = madd(k2, q1, s21);
    const k3 = v128.load32_splat(key, 192 * sizeof<Row>());
    s30 = madd(k3, q0, s30);
    s31 = madd(k3, q1, s31);
    const k4 = v128.load32_splat(key, 256 * sizeof<Row>());
    s40 = madd(k4, q0, s40);
    s41 = madd(k4, q1, s41);
    query += 32;
    key += 4;
  }
  v128.store(scores, s00, 0);
  v128.store(scores, s01, 16);
  v128.store(scores, s10, 32);
  v128.store(scores, s11, 48);
  v128.store(scores, s20, 64);
  v128.store(scores, s21, 80);
  v128.store(scores, s30, 96);
  v128.store(scores, s31, 112);
  v128.store(scores, s40, 128);
  v128.store(scores, s41, 144);
}

/** 6 keys against a panel: 12 accumulators. */
function scores6(
  bytes: usize,
  end: usize,
  before: usize,
  stride: usize,
  scores: usize,
): void {
  let s00 = i32x4.splat(0);
  let s01 = i32x4.splat(0);
  let s10 = i32x4.splat(0);
  let s11 = i32x4.splat(0);
  let s20 = i32x4.splat(0);
  let s21 = i32x4.splat(0);
  let s30 = i32x4.splat(0);
  let s31 = i32x4.splat(0);
  let s40 = i32x4.splat(0);
  let s41 = i32x4.splat(0);
  let s50 = i32x4.splat(0);
  let s51 = i32x4.splat(0);
  let query = end - bytes;
  let key = before + stride;
  let key1 = key + stride;
  let key2 = key1 + stride;
  let key3 = key2 + stride;
  let key4 = key3 + stride;
  let key5 = key4 + stride;
  while (query < end) {
    const q0 = v128.load(query);
    const q1 = v128.load(query, 16);
    const k0 = v128.load32_splat(key);
    s00 = madd(k0, q0, s00);
    s01 = madd(k0, q1, s01);
    const k1 = v128.load32_splat(key1);
    s10 = madd(k1, q0, s10);
    s11 = madd(k1, q1, s11);
    const k2 = v128.load32_splat(key2);
    s20 = madd(k2, q0, s20);
    s21 = madd(k2, q1, s21);
    const k3 = v128.load32_splat(key3);
    s30 = madd(k3, q0, s30);
    s31 = madd(k3, q1, s31);
    const k4 = v128.load32_splat(key4);
    s40 = madd(k4, q0, s40);
    s41 = madd(k4, q1, s41);
    const k5 = v128.load32_splat(key5);
    s50 = madd(k5, q0, s50);
    s51 = madd(k5, q1, s51);
    query += 32;
    key += 4;
    key1 += 4;
    key2 += 4;
    key3 += 4;
    key4 += 4;
    key5 += 4;
  }
  v128.store(scores, s00, 0);
  v128.store(scores, s01, 16);
  v128.store(scores, s10, 32);
  v128.store(scores, s11, 48);
  v128.store(scores, s20, 64);
  v128.store(scores, s21, 80);
  v128.store(scores, s30, 96);
  v128.store(scores, s31, 112);
  v128.store(scores, s40, 128);
  v128.store(scores, s41, 144);
  v128.store(scores, s50, 160);
  v128.store(scores, s51, 176);
}

/** 5 keys against a panel: 10 accumulators. */
function scores5(
  bytes: usize,
  end: usize,
  before: usize,
  stride: usize,
  scores: usize,
): void {
  let s00 = i32x4.splat(0);
  let s01 = i32x4.splat(0);
  let s10 = i32x4.splat(0);
  let s11 = i32x4.splat(0);
  let s20 = i32x4.splat(0);
  let s21 = i32x4.splat(0);
  let s30 = i32x4.splat(0);
  let s31 = i32x4.splat(0);
  let s40 = i32x4.splat(0);
  let s41 = i32x4.splat(0);
  let query = end - bytes;
  let key = before + stride;
  let key1 = key + stride;
  let key2 = key1 + stride;
  let key3 = key2 + stride;
  let key4 = key3 + stride;
  while (query < end) {
    const q0 = v128.load(query);
    const q1 = v128.load(query, 16);
    const k0 = v128.load32_splat(key);
    s00 = madd(k0, q0, s00);
    s01 = madd(k0, q1, s01);
    const k1 = v128.load32_splat(key1);
    s10 = madd(k1, q0, s10);
    s11 = madd(k1, q1, s11);
    const k2 = v128.load32_splat(key2);
    s20 = madd(k2, q0, s20);
    s21 = madd(k2, q1, s21);
    const k3 = v128.load32_splat(key3);
    s30 = madd(k3, q0, s30);
    s31 = madd(k3, q1, s31);
    const k4 = v128.load32_splat(key4);
    s40 = madd(k4, q0, s40);
    s41 = madd(k4, q1, s41);
    query += 32;
    key += 4;
    key1 += 4;
    key2 += 4;
    key3 += 4;
    key4 += 4;
  }
  v128.store(scores, s00, 0);
  v128.store(scores, s01, 16);
  v128.store(scores, s10, 32);
  v128.store(scores, s11, 48);
  v128.store(scores, s20, 64);
  v128.store(scores, s21, 80);
  v128.store(scores, s30, 96);
  v128.store(scores, s31, 112);
  v128.store(scores, s40, 128);
  v128.store(scores, s41, 144);
}

/** 4 keys against a panel: 8 accumulators. */
function scores4(query: usize, end: usize, key: usize, stride: usize, scores: usize): void {
  let s00 = i32x4.splat(0);
  let s01 = i32x4.splat(0);
  let s10 = i32x4.splat(0);
  let s11 = i32x4.splat(0);
  let s20 = i32x4.splat(0);
  let s21 = i32x4.splat(0);
  let s30 = i32x4.splat(0);
  let s31 = i32x4.splat(0);
  let key1 = key + stride;
  let key2 = key1 + stride;
  let key3 = key2 + stride;
  while (query < end) {
    const q0 = v128.load(query);
    const q1 = v128.load(query, 16);
    const k0 = v128.load32_splat(key);
    s00 = madd(k0, q0, s00);
    s01 = madd(k0, q1, s01);
    const k1 = v128.load32_splat(key1);
    s10 = madd(k1, q0, s10);
    s11 = madd(k1, q1, s11);
    const k2 = v128.load32_splat(key2);
    s20 = madd(k2, q0, s20);
    s21 = madd(k2, q1, s21);
    const k3 = v128.load32_splat(key3);
    s30 = madd(k3, q0, s30);
    s31 = madd(k3, q1, s31);
    query += 32;
    key += 4;
    key1 += 4;
    key2 += 4;
    key3 += 4;
  }
  v128.store(scores, s00, 0);
  v128.store(scores, s01, 16);
  v128.store(scores, s10, 32);
  v128.store(scores, s11, 48);
  v128.store(scores, s20, 64);
  v128.store(scores, s21, 80);
  v128.store(scores, s30, 96);
  v128.store(scores, s31, 112);
}

/** 1 key against a panel: 2 accumulators. */
function scores1(query: usize, end: usize, key: usize, scores: usize): void {
  let s00 = i32x4.splat(0);
  let s01 = i32x4.splat(0);
  while (query < end) {
    const q0 = v128.load(query);
    const q1 = v128.load(query, 16);
    const k0 = v128.load32_splat(key);
    s00 = madd(k0, q0, s00);
    s01 = madd(k0, q1, s01);
    query += 32;
    key += 4;
  }
  v128.store(scores, s00, 0);
  v128.store(scores, s01, 16);
}
