/** Whether `rows` rows of `size` float32, `stride` bytes apart, have neither infinities nor NaN. */
export function allFinite(from: usize, stride: usize, rows: i32, size: i32): bool {
  const whole = size & ~3;
  let bad = i32x4.splat(0);
  let scalarBad: u32 = 0;
  for (let j = 0; j < rows; j++) {
    let p = from;
    const end = from + 4 * <usize>whole;
    while (p < end) {
      // x − x is 0 for every finite number, and NaN, which has bits, for all else.
      const x = v128.load(p);
      bad = v128.or(bad, f32x4.sub(x, x));
      p += 16;
    }
    for (let c = whole; c < size; c++) {
      const x = load<f32>(p);
      scalarBad |= reinterpret<u32>(x - x);
      p += 4;
    }
    from += stride;
  }
  return !v128.any_true(bad) && scalarBad == 0;
}

/**
 * `output += weights · values` where values of hidden keys may be infinite or NaN, which times 0 is NaN:
 * weights of 0 are left out. Slow, and rarely needed.
 *
 * @param weights the first row's of key 0; keys are `step` bytes apart, rows are neighbours
 * @param value values are `stride` bytes apart
 * @param output of row 0; columns are `columnStep` and rows `rowStep` bytes apart
 */
export function guardedValues(
  weights: usize,
  step: usize,
  rows: i32,
  keys: i32,
  value: usize,
  stride: usize,
  size: i32,
  output: usize,
  columnStep: usize,
  rowStep: usize,
): void {
  for (let j = 0; j < keys; j++) {
    for (let r = 0; r < rows; r++) {
      const weight = load<f32>(weights + 4 * <usize>r);
      if (weight == 0) continue;
      let to = output + rowStep * <usize>r;
      const end = value + 4 * <usize>size;
      for (let p = value; p < end; p += 4) {
        store<f32>(to, load<f32>(to) + weight * load<f32>(p));
        to += columnStep;
      }
    }
    weights += step;
    value += stride;
  }
}
