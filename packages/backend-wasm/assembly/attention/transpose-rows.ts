import { madd, transpose4 } from "../math/simd";
import { STEP } from "./panel";

/**
 * Half a panel of the output, whose rows are lanes, as four rows of so many columns, times their factors. Zeros become
 * positive: in the sum of a first tile, what vanishes may have left a negative one.
 *
 * @param rest room for 16 elements, used if there are fewer than four columns
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
  if (columns == 0) return i32x4.splat(0);
  const left = columns & 3;
  const whole = 4 * <usize>(columns & -4);
  if (whole == 0) {
    const bad = transposed(from, factors, rest, rest + 16, rest + 32, rest + 48, left);
    storeSome(to0, rest, left);
    storeSome(to1, rest + 16, left);
    storeSome(to2, rest + 32, left);
    storeSome(to3, rest + 48, left);
    return bad;
  }
  let bad = i32x4.splat(0);
  const end = to0 + whole;
  while (to0 < end) {
    bad = v128.or(bad, transposed(from, factors, to0, to1, to2, to3, 4));
    from += 4 * STEP;
    to0 += 16;
    to1 += 16;
    to2 += 16;
    to3 += 16;
  }
  if (left == 0) return bad;
  // The last four columns, of which some are done: they are stored again.
  const back = <usize>(4 - left);
  from -= STEP * back;
  to0 -= 4 * back;
  to1 -= 4 * back;
  to2 -= 4 * back;
  to3 -= 4 * back;
  return v128.or(bad, transposed(from, factors, to0, to1, to2, to3, 4));
}

/**
 * Four columns of `transposeRows`.
 *
 * @param count columns that are there
 * @returns not 0 in the lanes of rows that are not finite in these columns
 */
// @ts-ignore: decorator
@inline
function transposed(
  from: usize,
  factors: v128,
  to0: usize,
  to1: usize,
  to2: usize,
  to3: usize,
  count: i32,
): v128 {
  const zero = i32x4.splat(0);
  const a = madd(v128.load(from), factors, zero);
  const b = madd(v128.load(from, STEP), factors, zero);
  const c = madd(v128.load(from, 2 * STEP), factors, zero);
  const e = madd(v128.load(from, 3 * STEP), factors, zero);
  transpose4(a, b, c, e, to0, to1, to2, to3);
  // x − x is 0 for every finite number, and NaN for all else.
  let bad = f32x4.sub(a, a);
  if (count > 1) bad = v128.or(bad, f32x4.sub(b, b));
  if (count > 2) bad = v128.or(bad, f32x4.sub(c, c));
  if (count > 3) bad = v128.or(bad, f32x4.sub(e, e));
  return bad;
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
