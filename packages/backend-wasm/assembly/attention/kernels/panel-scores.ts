import { madd } from "../../math/simd";
import { lesserGroups, MOST } from "./groups";

// How far keys are apart, as an argument that is a constant where it is used: `64 · sizeof<Row>()` bytes.
type Row64 = u32;
type Row128 = u64;

/**
 * Scores of a panel of 8 query rows, transposed: `scores[j][r] = Σ key[j][d] · query[d][r]`. Keys are
 * read where they lie, one element at a time into all lanes; the rows are the lanes.
 *
 * The variants are written out: a loop over keys would put the accumulators into memory, and nothing in
 * AssemblyScript unrolls one. Their odder lines are for the code that V8 makes of them: see
 * docs/kernels/wasm.md, Code generation.
 *
 * @param query the panel, `[size, 8]`
 * @param size elements of a query and a key
 * @param key the first key; keys are `stride` bytes apart
 * @param keys how many
 * @param scores `[keys, 8]`, written
 */
export function panelScores(
  query: usize,
  size: i32,
  key: usize,
  stride: usize,
  keys: i32,
  scores: usize,
): void {
  const bytes = 32 * <usize>size;
  const end = query + bytes;
  for (let groups = lesserGroups(keys); groups > 0; groups--) {
    if (ASC_FEATURE_RELAXED_SIMD) scores5(bytes, end, key - stride, stride, scores);
    else scores4(query, end, key, stride, scores);
    key += (MOST - 1) * stride;
    scores += (MOST - 1) * 32;
    keys -= MOST - 1;
  }
  while (keys >= MOST) {
    if (ASC_FEATURE_RELAXED_SIMD) scores6(bytes, end, key - stride, stride, scores);
    else if (stride == 64 * sizeof<Row64>()) scores5Fixed<Row64>(bytes, end, key - stride, scores);
    else if (stride == 64 * sizeof<Row128>()) scores5Fixed<Row128>(bytes, end, key - stride, scores);
    else scores5(bytes, end, key - stride, stride, scores);
    key += MOST * stride;
    scores += MOST * 32;
    keys -= MOST;
  }
  if (keys >= 4) {
    scores4(query, end, key, stride, scores);
    key += 4 * stride;
    scores += 4 * 32;
    keys -= 4;
  }
  if (keys >= 2) {
    scores2(query, end, key, stride, scores);
    key += 2 * stride;
    scores += 2 * 32;
    keys -= 2;
  }
  if (keys > 0) scores1(query, end, key, scores);
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

/** 2 keys against a panel: 4 accumulators. */
function scores2(query: usize, end: usize, key: usize, stride: usize, scores: usize): void {
  let s00 = i32x4.splat(0);
  let s01 = i32x4.splat(0);
  let s10 = i32x4.splat(0);
  let s11 = i32x4.splat(0);
  let key1 = key + stride;
  while (query < end) {
    const q0 = v128.load(query);
    const q1 = v128.load(query, 16);
    const k0 = v128.load32_splat(key);
    s00 = madd(k0, q0, s00);
    s01 = madd(k0, q1, s01);
    const k1 = v128.load32_splat(key1);
    s10 = madd(k1, q0, s10);
    s11 = madd(k1, q1, s11);
    query += 32;
    key += 4;
    key1 += 4;
  }
  v128.store(scores, s00, 0);
  v128.store(scores, s01, 16);
  v128.store(scores, s10, 32);
  v128.store(scores, s11, 48);
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
