// Rotation of one head vector of float32, pair by pair: y[a] = x[a] · cos − x[b] · sin,
// y[b] = x[b] · cos + x[a] · sin. Products are not fused with the sums: results are the same in both builds.

/** Pairs are elements i and i + pairs. */
export function rotateHalves(input: usize, cos: usize, sin: usize, pairs: i32, output: usize): void {
  const second = 4 * <usize>pairs;
  const whole = output + 4 * <usize>(pairs & ~3);
  const end = output + second;
  while (output < whole) {
    const a = v128.load(input);
    const b = v128.load(input + second);
    const c = v128.load(cos);
    const s = v128.load(sin);
    v128.store(output, f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s)));
    v128.store(output + second, f32x4.add(f32x4.mul(b, c), f32x4.mul(a, s)));
    input += 16;
    output += 16;
    cos += 16;
    sin += 16;
  }
  while (output < end) {
    rotateOne(input, second, cos, sin, output);
    input += 4;
    output += 4;
    cos += 4;
    sin += 4;
  }
}

/** Pairs are elements 2i and 2i + 1. */
export function rotatePairs(input: usize, cos: usize, sin: usize, pairs: i32, output: usize): void {
  const whole = output + 8 * <usize>(pairs & ~3);
  const end = output + 8 * <usize>pairs;
  while (output < whole) {
    const first = v128.load(input);
    const second = v128.load(input, 16);
    const a = v128.shuffle<f32>(first, second, 0, 2, 4, 6);
    const b = v128.shuffle<f32>(first, second, 1, 3, 5, 7);
    const c = v128.load(cos);
    const s = v128.load(sin);
    const x = f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s));
    const y = f32x4.add(f32x4.mul(b, c), f32x4.mul(a, s));
    v128.store(output, v128.shuffle<f32>(x, y, 0, 4, 1, 5));
    v128.store(output, v128.shuffle<f32>(x, y, 2, 6, 3, 7), 16);
    input += 32;
    output += 32;
    cos += 16;
    sin += 16;
  }
  while (output < end) {
    rotateOne(input, 4, cos, sin, output);
    input += 8;
    output += 8;
    cos += 4;
    sin += 4;
  }
}

/** One pair, whose elements are `apart` bytes apart. */
function rotateOne(input: usize, apart: usize, cos: usize, sin: usize, output: usize): void {
  const a = load<f32>(input);
  const b = load<f32>(input + apart);
  const c = load<f32>(cos);
  const s = load<f32>(sin);
  store<f32>(output, a * c - b * s);
  store<f32>(output + apart, b * c + a * s);
}
