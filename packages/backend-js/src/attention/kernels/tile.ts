/**
 * Register-blocked products of the tiled kernel. Both keep their sums in registers and read two
 * packed panels from front to back, so that each element loaded serves three or four multiply-adds.
 *
 * `| 0` is not decoration: without it V8 checks every index for overflow, and loses a fifth. 3 × 3
 * and 3 × 4 were the fastest shapes of those measured from 2 × 2 to 6 × 2; with 4 × 4 sums V8 spills.
 */

/** Rows of a query panel. */
export const panelRows = 3;

/** Keys of a key panel. */
export const panelKeys = 3;

/** Columns of values taken together. */
export const panelColumns = 4;

/**
 * `scores = query · keyᵀ`, panel by panel.
 *
 * @param query panels of 3 rows, `[rows/3, size, 3]`
 * @param key panels of 3 keys, `[keys/3, size, 3]`
 * @param scores panels of 3 rows, `[rows/3, stride, 3]`
 * @param from the first row, a multiple of 3
 * @param to the row after the last; the rest of its panel is computed too
 * @param keys a multiple of 3, at most `stride`
 */
export function tileScores(
  query: number[],
  key: number[],
  scores: number[],
  from: number,
  to: number,
  keys: number,
  size: number,
  stride: number,
): void {
  for (let r = from; r < to; r = (r + 3) | 0) {
    for (let j = 0; j < keys; j = (j + 3) | 0) {
      let q = (r * size) | 0;
      let k = (j * size) | 0;
      const end = (k + 3 * size) | 0;
      let s00 = 0;
      let s01 = 0;
      let s02 = 0;
      let s10 = 0;
      let s11 = 0;
      let s12 = 0;
      let s20 = 0;
      let s21 = 0;
      let s22 = 0;
      while (k < end) {
        const x0 = query[q] as number;
        const x1 = query[(q + 1) | 0] as number;
        const x2 = query[(q + 2) | 0] as number;
        const y0 = key[k] as number;
        s00 += x0 * y0;
        s10 += x1 * y0;
        s20 += x2 * y0;
        const y1 = key[(k + 1) | 0] as number;
        s01 += x0 * y1;
        s11 += x1 * y1;
        s21 += x2 * y1;
        const y2 = key[(k + 2) | 0] as number;
        s02 += x0 * y2;
        s12 += x1 * y2;
        s22 += x2 * y2;
        k = (k + 3) | 0;
        q = (q + 3) | 0;
      }
      const at = (r * stride + 3 * j) | 0;
      scores[at] = s00;
      scores[at + 1] = s10;
      scores[at + 2] = s20;
      scores[at + 3] = s01;
      scores[at + 4] = s11;
      scores[at + 5] = s21;
      scores[at + 6] = s02;
      scores[at + 7] = s12;
      scores[at + 8] = s22;
    }
  }
}

/**
 * `output += weights · value`.
 *
 * @param weights panels of 3 rows, `[rows/3, stride, 3]`
 * @param value `[keys, size]`
 * @param output `[rows, size]`
 * @param from the first row, a multiple of 3
 * @param to the row after the last; the rest of its panel is computed too
 * @param keys any number up to `stride`
 * @param size a multiple of 4
 */
export function tileValues(
  weights: number[],
  value: number[],
  output: number[],
  from: number,
  to: number,
  keys: number,
  size: number,
  stride: number,
): void {
  for (let r = from; r < to; r = (r + 3) | 0) {
    for (let c = 0; c < size; c = (c + 4) | 0) {
      let w = (r * stride) | 0;
      const end = (w + 3 * keys) | 0;
      let v = c;
      let s00 = 0;
      let s01 = 0;
      let s02 = 0;
      let s03 = 0;
      let s10 = 0;
      let s11 = 0;
      let s12 = 0;
      let s13 = 0;
      let s20 = 0;
      let s21 = 0;
      let s22 = 0;
      let s23 = 0;
      while (w < end) {
        const x0 = weights[w] as number;
        const x1 = weights[(w + 1) | 0] as number;
        const x2 = weights[(w + 2) | 0] as number;
        const y0 = value[v] as number;
        s00 += x0 * y0;
        s10 += x1 * y0;
        s20 += x2 * y0;
        const y1 = value[(v + 1) | 0] as number;
        s01 += x0 * y1;
        s11 += x1 * y1;
        s21 += x2 * y1;
        const y2 = value[(v + 2) | 0] as number;
        s02 += x0 * y2;
        s12 += x1 * y2;
        s22 += x2 * y2;
        const y3 = value[(v + 3) | 0] as number;
        s03 += x0 * y3;
        s13 += x1 * y3;
        s23 += x2 * y3;
        v = (v + size) | 0;
        w = (w + 3) | 0;
      }
      let at = (r * size + c) | 0;
      (output[at] as number) += s00;
      (output[at + 1] as number) += s01;
      (output[at + 2] as number) += s02;
      (output[at + 3] as number) += s03;
      at += size;
      (output[at] as number) += s10;
      (output[at + 1] as number) += s11;
      (output[at + 2] as number) += s12;
      (output[at + 3] as number) += s13;
      at += size;
      (output[at] as number) += s20;
      (output[at + 1] as number) += s21;
      (output[at + 2] as number) += s22;
      (output[at + 3] as number) += s23;
    }
  }
}
