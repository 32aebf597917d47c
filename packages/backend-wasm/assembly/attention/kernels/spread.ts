import * as D from "../../../src/shared/attention";
import { madd } from "../../math/simd";
import { MOST } from "./groups";

// Tiles of which every element fills the four lanes of a vector: kernels then load it by one instruction, at a constant
// offset from one address. Keys, or columns of the values, are taken in groups of `MOST`. The vectors of a group lie in
// the order in which its kernel reads them, `[depth, MOST, 4]`: the depth is the head size, or the keys of the tile. The
// last group ends with the last key or column, and repeats some of the group before it.
//
// Kernels form the same sums in the same order as those that read keys and values in place.

/** Bytes of a step of a group. */
// @ts-ignore: decorator
@inline
const STEP_BYTES: usize = 16 * <usize>MOST;

/**
 * Whether kernels can read a tile spread.
 *
 * @param columns of the values
 */
// @ts-ignore: decorator
@inline
export function canSpread(variant: i32, keys: i32, columns: i32): bool {
  return variant != D.variantSplat && keys >= MOST && columns >= MOST;
}

/**
 * Copies a matrix, each element to four lanes.
 *
 * @param count keys, or columns: at least `MOST`
 * @param across bytes from one to the next
 * @param depth elements of a key, or keys
 * @param along bytes from one to the next
 * @param to `[⌈count / MOST⌉, depth, MOST, 4]`
 */
export function spread(
  from: usize,
  count: i32,
  across: usize,
  depth: i32,
  along: usize,
  to: usize,
): void {
  for (let start = 0; start < count; start += MOST) {
    let x0 = from + <usize>min(start, count - MOST) * across;
    let x1 = x0 + across;
    let x2 = x1 + across;
    let x3 = x2 + across;
    let x4 = x3 + across;
    let x5 = x4 + across;
    const end = to + STEP_BYTES * <usize>depth;
    while (to < end) {
      v128.store(to, v128.load32_splat(x0));
      v128.store(to, v128.load32_splat(x1), 16);
      v128.store(to, v128.load32_splat(x2), 32);
      v128.store(to, v128.load32_splat(x3), 48);
      v128.store(to, v128.load32_splat(x4), 64);
      if (MOST > 5) v128.store(to, v128.load32_splat(x5), 80);
      x0 += along;
      x1 += along;
      x2 += along;
      x3 += along;
      x4 += along;
      if (MOST > 5) x5 += along;
      to += STEP_BYTES;
    }
  }
}

/**
 * `panelScores` of keys that are spread. The first and the last group may go beyond the keys asked for: up to
 * `MOST − 1` scores are written before `scores`, but none after those of the tile's last key.
 *
 * @param variant `D.variantSpread` or `D.variantSpreadByTwo`
 * @param tile the keys of a tile, spread
 * @param tileKeys how many
 * @param first of the keys asked for
 * @param last the key after them
 */
export function spreadScores(
  variant: i32,
  query: usize,
  size: i32,
  tile: usize,
  tileKeys: i32,
  first: i32,
  last: i32,
  scores: usize,
): void {
  const end = query + 32 * <usize>size;
  const bytes = STEP_BYTES * <usize>size;
  const group = first / MOST;
  tile += bytes * <usize>group;
  for (let start = group * MOST; start < last; start += MOST) {
    const key = min(start, tileKeys - MOST);
    multiply(variant, query, end, tile, scores + 32 * <usize>key - 32 * <usize>first);
    tile += bytes;
  }
}

/**
 * `tileValues` of values that are spread.
 *
 * @param weights `[keys, 8]`
 * @param keys how many
 * @param tile the values of a tile, spread
 * @param tileKeys its keys
 * @param first of them, to which the weights belong
 * @param size elements of a value: at least `MOST`
 */
export function spreadValues(
  variant: i32,
  weights: usize,
  keys: i32,
  tile: usize,
  tileKeys: i32,
  first: i32,
  size: i32,
  sums: usize,
): void {
  const end = weights + 32 * <usize>keys;
  tile += STEP_BYTES * <usize>first;
  for (let start = 0; start < size; start += MOST) {
    multiply(variant, weights, end, tile, sums + 32 * <usize>min(start, size - MOST));
    tile += STEP_BYTES * <usize>tileKeys;
  }
}

/** `to[g][r] = Σ tile[i][g] · panel[i][r]`: a group with a panel of queries or weights. */
// @ts-ignore: decorator
@inline
function multiply(variant: i32, panel: usize, end: usize, tile: usize, to: usize): void {
  if (variant == D.variantSpreadByTwo) multiplyByTwo(panel, end, tile, to);
  else multiplyByOne(panel, end, tile, to);
}

function multiplyByOne(panel: usize, end: usize, tile: usize, to: usize): void {
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
  while (panel < end) {
    const p0 = v128.load(panel);
    const p1 = v128.load(panel, 16);
    const x0 = v128.load(tile);
    s00 = madd(x0, p0, s00);
    s01 = madd(x0, p1, s01);
    const x1 = v128.load(tile, 16);
    s10 = madd(x1, p0, s10);
    s11 = madd(x1, p1, s11);
    const x2 = v128.load(tile, 32);
    s20 = madd(x2, p0, s20);
    s21 = madd(x2, p1, s21);
    const x3 = v128.load(tile, 48);
    s30 = madd(x3, p0, s30);
    s31 = madd(x3, p1, s31);
    const x4 = v128.load(tile, 64);
    s40 = madd(x4, p0, s40);
    s41 = madd(x4, p1, s41);
    if (MOST > 5) {
      const x5 = v128.load(tile, 80);
      s50 = madd(x5, p0, s50);
      s51 = madd(x5, p1, s51);
    }
    panel += 32;
    tile += STEP_BYTES;
  }
  v128.store(to, s00);
  v128.store(to, s01, 16);
  v128.store(to, s10, 32);
  v128.store(to, s11, 48);
  v128.store(to, s20, 64);
  v128.store(to, s21, 80);
  v128.store(to, s30, 96);
  v128.store(to, s31, 112);
  v128.store(to, s40, 128);
  v128.store(to, s41, 144);
  if (MOST > 5) {
    v128.store(to, s50, 160);
    v128.store(to, s51, 176);
  }
}

/** The same by two steps an iteration. V8 11.3 and 12.4 order them so that registers spill; JavaScriptCore keeps the order. */
function multiplyByTwo(panel: usize, end: usize, tile: usize, to: usize): void {
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
  const pairs = end - ((end - panel) & 32);
  while (panel < pairs) {
    const p0 = v128.load(panel);
    const p1 = v128.load(panel, 16);
    const x0 = v128.load(tile);
    s00 = madd(x0, p0, s00);
    s01 = madd(x0, p1, s01);
    const x1 = v128.load(tile, 16);
    s10 = madd(x1, p0, s10);
    s11 = madd(x1, p1, s11);
    const x2 = v128.load(tile, 32);
    s20 = madd(x2, p0, s20);
    s21 = madd(x2, p1, s21);
    const x3 = v128.load(tile, 48);
    s30 = madd(x3, p0, s30);
    s31 = madd(x3, p1, s31);
    const x4 = v128.load(tile, 64);
    s40 = madd(x4, p0, s40);
    s41 = madd(x4, p1, s41);
    if (MOST > 5) {
      const x5 = v128.load(tile, 80);
      s50 = madd(x5, p0, s50);
      s51 = madd(x5, p1, s51);
    }
    const p0b = v128.load(panel, 32);
    const p1b = v128.load(panel, 48);
    const x0b = v128.load(tile, STEP_BYTES);
    s00 = madd(x0b, p0b, s00);
    s01 = madd(x0b, p1b, s01);
    const x1b = v128.load(tile, STEP_BYTES + 16);
    s10 = madd(x1b, p0b, s10);
    s11 = madd(x1b, p1b, s11);
    const x2b = v128.load(tile, STEP_BYTES + 32);
    s20 = madd(x2b, p0b, s20);
    s21 = madd(x2b, p1b, s21);
    const x3b = v128.load(tile, STEP_BYTES + 48);
    s30 = madd(x3b, p0b, s30);
    s31 = madd(x3b, p1b, s31);
    const x4b = v128.load(tile, STEP_BYTES + 64);
    s40 = madd(x4b, p0b, s40);
    s41 = madd(x4b, p1b, s41);
    if (MOST > 5) {
      const x5b = v128.load(tile, STEP_BYTES + 80);
      s50 = madd(x5b, p0b, s50);
      s51 = madd(x5b, p1b, s51);
    }
    panel += 64;
    tile += 2 * STEP_BYTES;
  }
  if (panel < end) {
    const p0 = v128.load(panel);
    const p1 = v128.load(panel, 16);
    const x0 = v128.load(tile);
    s00 = madd(x0, p0, s00);
    s01 = madd(x0, p1, s01);
    const x1 = v128.load(tile, 16);
    s10 = madd(x1, p0, s10);
    s11 = madd(x1, p1, s11);
    const x2 = v128.load(tile, 32);
    s20 = madd(x2, p0, s20);
    s21 = madd(x2, p1, s21);
    const x3 = v128.load(tile, 48);
    s30 = madd(x3, p0, s30);
    s31 = madd(x3, p1, s31);
    const x4 = v128.load(tile, 64);
    s40 = madd(x4, p0, s40);
    s41 = madd(x4, p1, s41);
    if (MOST > 5) {
      const x5 = v128.load(tile, 80);
      s50 = madd(x5, p0, s50);
      s51 = madd(x5, p1, s51);
    }
  }
  v128.store(to, s00);
  v128.store(to, s01, 16);
  v128.store(to, s10, 32);
  v128.store(to, s11, 48);
  v128.store(to, s20, 64);
  v128.store(to, s21, 80);
  v128.store(to, s30, 96);
  v128.store(to, s31, 112);
  v128.store(to, s40, 128);
  v128.store(to, s41, 144);
  if (MOST > 5) {
    v128.store(to, s50, 160);
    v128.store(to, s51, 176);
  }
}
