import { madd, transpose4 } from "../math/simd";
import { STEP } from "./panel";

/**
 * Half a panel of the output, whose rows are lanes, as four rows of so many columns, times their factors. Zeros become
 * positive: in the sum of a first tile, what vanishes may have left a negative one.
 *
 * @param rest room for 16 elements
 * @returns not 0 in the lanes of rows that are not finite
 */
export function transposeRows(
  from: usize,
  columns: i32,
  factors: v128,
  to0: usize,
  to1: usize,
  to2: usize,
  to3: usize,
  rest: usize,
): v128 {
  const zero = i32x4.splat(0);
  let bad = zero;
  const left = columns & 3;
  let end = to0 + 4 * <usize>(columns & -4);
  let whole = true;
  while (true) {
    const at0 = to0;
    const at1 = to1;
    const at2 = to2;
    const at3 = to3;
    if (!whole) {
      // The last one to three columns are transposed to the side, and stored from there.
      to0 = rest;
      to1 = rest + 16;
      to2 = rest + 32;
      to3 = rest + 48;
      end = to1;
    }
    while (to0 < end) {
      const a = madd(v128.load(from), factors, zero);
      const b = madd(v128.load(from, STEP), factors, zero);
      const c = madd(v128.load(from, 2 * STEP), factors, zero);
      const e = madd(v128.load(from, 3 * STEP), factors, zero);
      // x − x is 0 for every finite number, and NaN for all else.
      bad = v128.or(bad, f32x4.sub(a, a));
      if (whole || left > 1) bad = v128.or(bad, f32x4.sub(b, b));
      if (whole || left > 2) bad = v128.or(bad, f32x4.sub(c, c));
      if (whole) bad = v128.or(bad, f32x4.sub(e, e));
      transpose4(a, b, c, e, to0, to1, to2, to3);
      from += 4 * STEP;
      to0 += 16;
      to1 += 16;
      to2 += 16;
      to3 += 16;
    }
    if (left == 0) return bad;
    if (whole) {
      whole = false;
      continue;
    }
    storeSome(at0, rest, left);
    storeSome(at1, rest + 16, left);
    storeSome(at2, rest + 32, left);
    storeSome(at3, rest + 48, left);
    return bad;
  }
}

/** Copies one to three elements. */
function storeSome(to: usize, from: usize, count: i32): void {
  const x = v128.load(from);
  if (count == 1) {
    v128.store32_lane(to, x, 0);
    return;
  }
  v128.store64_lane(to, x, 0);
  if (count == 3) v128.store32_lane(to, x, 2, 8);
}
