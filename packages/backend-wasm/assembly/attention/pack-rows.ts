import { transpose4 } from "../math/simd";
import { STEP } from "./panel";

/**
 * Packs four rows into lanes of a panel: `[columns, 8]`, of which these are four neighbours.
 *
 * @param from0 the first row; the rows lie anywhere, and up to three elements after each are read
 * @param bytes of a row, padded to a multiple of four elements: what the elements after it become is not used
 * @param factor times which the rows are packed
 */
export function packRows(
  from0: usize,
  from1: usize,
  from2: usize,
  from3: usize,
  bytes: usize,
  factor: v128,
  to: usize,
): void {
  const end = from0 + bytes;
  while (from0 < end) {
    const to2 = to + 2 * STEP;
    transpose4(
      f32x4.mul(v128.load(from0), factor),
      f32x4.mul(v128.load(from1), factor),
      f32x4.mul(v128.load(from2), factor),
      f32x4.mul(v128.load(from3), factor),
      to,
      to + STEP,
      to2,
      to2 + STEP,
    );
    from0 += 16;
    from1 += 16;
    from2 += 16;
    from3 += 16;
    to += 4 * STEP;
  }
}
