import * as D from "../../src/shared/rms-norm";
import { number, size, word } from "../descriptor";
import { storeFloat16Scalar, widenRows } from "../math/float16";

/**
 * Root mean square normalisation of a whole call (Zhang & Sennrich, 2019, arXiv:1910.07467). Vectors of float16
 * are normalised as float32 copies in the workspace.
 *
 * @param d its descriptor: see src/shared/rms-norm.ts
 */
export function normalise(d: usize): void {
  const batch = word(d, D.batch);
  const heads = word(d, D.heads);
  const rows = word(d, D.rows);
  const count = word(d, D.vectorSize);
  const half = word(d, D.isFloat16) != 0;
  const elementBytes: usize = half ? 2 : 4;
  const epsilon = number(d, D.epsilon);
  const work = size(d, D.workPointer);
  let weight = size(d, D.weightPointer);
  if (half) {
    const widened = work + 16 * ((<usize>count + 3) >> 2);
    widenRows<u16>(weight, 0, 1, count, widened, 0);
    weight = widened;
  }
  let output = size(d, D.outputPointer);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const first = <usize>b * size(d, D.inputBatchStride) + <usize>h * size(d, D.inputHeadStride);
      let input = size(d, D.inputPointer) + first * elementBytes;
      for (let r = 0; r < rows; r++) {
        if (half) {
          widenRows<u16>(input, 0, 1, count, work, 0);
          normaliseVector(work, weight, count, epsilon, work);
          for (let i: usize = 0; i < <usize>count; i++) {
            storeFloat16Scalar(output + 2 * i, load<f32>(work + 4 * i));
          }
        } else {
          normaliseVector(input, weight, count, epsilon, output);
        }
        input += size(d, D.inputRowStride) * elementBytes;
        output += <usize>count * elementBytes;
      }
    }
  }
}

/** One vector of float32; the output may be the input. */
function normaliseVector(input: usize, weight: usize, count: i32, epsilon: f32, output: usize): void {
  const bytes: usize = 4 * <usize>count;
  const whole: usize = bytes - (bytes & 15);
  let sums = f32x4.splat(0);
  for (let at: usize = 0; at < whole; at += 16) {
    const x = v128.load(input + at);
    sums = f32x4.add(sums, f32x4.mul(x, x));
  }
  let squares =
    f32x4.extract_lane(sums, 0) +
    f32x4.extract_lane(sums, 1) +
    (f32x4.extract_lane(sums, 2) + f32x4.extract_lane(sums, 3));
  for (let at: usize = whole; at < bytes; at += 4) {
    const x = load<f32>(input + at);
    squares += x * x;
  }
  const root = sqrt<f32>(squares / <f32>count + epsilon);
  const roots = f32x4.splat(root);
  for (let at: usize = 0; at < whole; at += 16) {
    const y = f32x4.div(v128.load(input + at), roots);
    v128.store(output + at, f32x4.mul(y, v128.load(weight + at)));
  }
  for (let at: usize = whole; at < bytes; at += 4) {
    store<f32>(output + at, (load<f32>(input + at) / root) * load<f32>(weight + at));
  }
}
