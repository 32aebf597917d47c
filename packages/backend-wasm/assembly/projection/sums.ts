import * as D from "../../src/shared/projection";
import { size, word } from "../descriptor";
import { loadFloat16Scalar, storeFloat16Scalar } from "../math/float16";
import { madd, sumLanes } from "../math/simd";

/** Results of {@link fourRows}. */
export let sum0: f32 = 0;
export let sum1: f32 = 0;
export let sum2: f32 = 0;
export let sum3: f32 = 0;

/** Stores an output, with its bias. */
export function storeSum(d: usize, output: i32, row: i32, sum: f32): void {
  const bias = size(d, D.biasPointer);
  const to = <usize>(row * word(d, D.outputSize) + output);
  const outputs = size(d, D.outputPointer);
  if (word(d, D.isFloat16)) {
    if (bias) sum += loadFloat16Scalar(bias + 2 * <usize>output);
    storeFloat16Scalar(outputs + 2 * to, sum);
  } else {
    if (bias) sum += load<f32>(bias + 4 * <usize>output);
    store<f32>(outputs + 4 * to, sum);
  }
}

/** The dot product of a row of `bytes` bytes with one of the weight. Four sums hide the latency of additions. */
export function oneRow(x: usize, weight: usize, bytes: usize): f32 {
  const end = x + bytes;
  const whole = x + (bytes & ~63);
  let a = f32x4.splat(0);
  let b = f32x4.splat(0);
  let c = f32x4.splat(0);
  let e = f32x4.splat(0);
  while (x < whole) {
    a = madd(v128.load(weight), v128.load(x), a);
    b = madd(v128.load(weight, 16), v128.load(x, 16), b);
    c = madd(v128.load(weight, 32), v128.load(x, 32), c);
    e = madd(v128.load(weight, 48), v128.load(x, 48), e);
    weight += 64;
    x += 64;
  }
  return sumLanes(f32x4.add(f32x4.add(a, b), f32x4.add(c, e))) + tail(x, weight, end);
}

/** The dot product of the last elements. */
function tail(x: usize, weight: usize, end: usize): f32 {
  let sum: f32 = 0;
  while (x < end) {
    sum += load<f32>(weight) * load<f32>(x);
    weight += 4;
    x += 4;
  }
  return sum;
}

/** Dot products of four rows with one of the weight. */
export function fourRows(
  x0: usize,
  x1: usize,
  x2: usize,
  x3: usize,
  weight: usize,
  bytes: usize,
): void {
  const end = x0 + bytes;
  const whole = x0 + (bytes & ~15);
  let a = f32x4.splat(0);
  let b = f32x4.splat(0);
  let c = f32x4.splat(0);
  let e = f32x4.splat(0);
  while (x0 < whole) {
    const w = v128.load(weight);
    a = madd(w, v128.load(x0), a);
    b = madd(w, v128.load(x1), b);
    c = madd(w, v128.load(x2), c);
    e = madd(w, v128.load(x3), e);
    weight += 16;
    x0 += 16;
    x1 += 16;
    x2 += 16;
    x3 += 16;
  }
  const left = end - x0;
  sum0 = sumLanes(a) + tail(x0, weight, end);
  sum1 = sumLanes(b) + tail(x1, weight, x1 + left);
  sum2 = sumLanes(c) + tail(x2, weight, x2 + left);
  sum3 = sumLanes(e) + tail(x3, weight, x3 + left);
}

/**
 * Dot products of four rows with two of the weight, by the same additions in the same order. Those with the
 * second one are stored, those with the first one left as {@link fourRows} leaves them.
 *
 * @param output of the second row of the weight
 * @param row the first of the four
 * @param rows end of the rows that there are
 */
export function twoByFour(
  d: usize,
  output: i32,
  row: i32,
  rows: i32,
  x0: usize,
  x1: usize,
  x2: usize,
  x3: usize,
  weight: usize,
  next: usize,
  bytes: usize,
): void {
  const end = x0 + bytes;
  const whole = x0 + (bytes & ~15);
  let a = f32x4.splat(0);
  let b = f32x4.splat(0);
  let c = f32x4.splat(0);
  let e = f32x4.splat(0);
  let a1 = f32x4.splat(0);
  let b1 = f32x4.splat(0);
  let c1 = f32x4.splat(0);
  let e1 = f32x4.splat(0);
  while (x0 < whole) {
    const w = v128.load(weight);
    const v = v128.load(next);
    let x = v128.load(x0);
    a = madd(w, x, a);
    a1 = madd(v, x, a1);
    x = v128.load(x1);
    b = madd(w, x, b);
    b1 = madd(v, x, b1);
    x = v128.load(x2);
    c = madd(w, x, c);
    c1 = madd(v, x, c1);
    x = v128.load(x3);
    e = madd(w, x, e);
    e1 = madd(v, x, e1);
    weight += 16;
    next += 16;
    x0 += 16;
    x1 += 16;
    x2 += 16;
    x3 += 16;
  }
  const left = end - x0;
  sum0 = sumLanes(a) + tail(x0, weight, end);
  sum1 = sumLanes(b) + tail(x1, weight, x1 + left);
  sum2 = sumLanes(c) + tail(x2, weight, x2 + left);
  sum3 = sumLanes(e) + tail(x3, weight, x3 + left);
  storeSum(d, output, row, sumLanes(a1) + tail(x0, next, end));
  if (row + 1 < rows) storeSum(d, output, row + 1, sumLanes(b1) + tail(x1, next, x1 + left));
  if (row + 2 < rows) storeSum(d, output, row + 2, sumLanes(c1) + tail(x2, next, x2 + left));
  if (row + 3 < rows) storeSum(d, output, row + 3, sumLanes(e1) + tail(x3, next, x3 + left));
}
