import * as D from "../../src/shared/rotary";
import { size, word } from "../descriptor";
import { storeFloat16Scalar, widenRows } from "../math/float16";
import { rotateHalves, rotatePairs } from "./kernels";

/**
 * Rotary position embedding of a whole call (RoFormer, Su et al., 2021, arXiv:2104.09864). Rows of float16
 * are rotated as float32 copies in the workspace.
 *
 * @param d its descriptor: see src/shared/rotary.ts
 */
export function rotate(d: usize): void {
  const batch = word(d, D.batch);
  const heads = word(d, D.heads);
  const length = word(d, D.length);
  const elementBytes: usize = word(d, D.isFloat16) ? 2 : 4;
  const rowBytes = size(d, D.headDim) * elementBytes;
  const rotated = size(d, D.rotaryDim) * elementBytes;
  let output = size(d, D.outputPointer);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const first = <usize>b * size(d, D.inputBatchStride) + <usize>h * size(d, D.inputHeadStride);
      let input = size(d, D.inputPointer) + first * elementBytes;
      for (let l = 0; l < length; l++) {
        rotateRow(d, input, tableRow(d, D.cosPointer, b, l), tableRow(d, D.sinPointer, b, l), output);
        memory.copy(output + rotated, input + rotated, rowBytes - rotated);
        input += size(d, D.inputRowStride) * elementBytes;
        output += rowBytes;
      }
    }
  }
}

/** Rotates one head vector by its rows of the tables. */
function rotateRow(d: usize, input: usize, cos: usize, sin: usize, output: usize): void {
  const pairs = word(d, D.rotaryDim) >> 1;
  const half = word(d, D.isFloat16) != 0;
  const step = (4 * size(d, D.rotaryDim) + 15) & -16;
  let to = output;
  if (half) {
    const work = size(d, D.workPointer);
    widenRows<u16>(input, 0, 1, 2 * pairs, work, 0);
    input = work;
    to = work + step;
    if (word(d, D.tablesAreFloat16)) {
      widenRows<u16>(cos, 0, 1, pairs, work + 2 * step, 0);
      widenRows<u16>(sin, 0, 1, pairs, work + 3 * step, 0);
      cos = work + 2 * step;
      sin = work + 3 * step;
    }
  }
  if (word(d, D.interleaved)) rotatePairs(input, cos, sin, pairs, to);
  else rotateHalves(input, cos, sin, pairs, to);
  if (!half) return;
  for (let c: usize = 0; c < 2 * <usize>pairs; c++) {
    storeFloat16Scalar(output + 2 * c, load<f32>(to + 4 * c));
  }
}

/** Address of the row of a table for token l of batch b. The words of a table follow one another. */
function tableRow(d: usize, pointer: usize, b: i32, l: i32): usize {
  const rows = size(d, D.rowsPointer);
  const token = 4 * (<usize>b * size(d, D.length) + <usize>l);
  const row = rows ? load<usize>(rows + token) : <usize>l;
  const at = <usize>b * size(d, pointer + 4) + row * size(d, pointer + 8);
  return size(d, pointer) + at * (word(d, D.tablesAreFloat16) ? 2 : 4);
}
