import { type HostTensor, holdsBits } from "@heed/core";

/** Arrays that kernels read: doubles, or float32 for tensors that could also be read in place. */
export type Packed = number[] | Float32Array;

/** Every float16 value by its bits. Made when first needed: 256 KB. */
let float16Values: Float32Array | null = null;

function float16Table(): Float32Array {
  float16Values ??= makeFloat16Table();
  return float16Values;
}

/** Filled binade by binade: a call for each of the 65,536 values takes 35 ms in code not compiled yet. */
function makeFloat16Table(): Float32Array {
  const table = new Float32Array(0x10000);
  for (let exponent = 0; exponent < 31; exponent++) {
    const spacing = 2 ** (Math.max(exponent, 1) - 25);
    const first = exponent === 0 ? 0 : 1024;
    const at = exponent << 10;
    for (let fraction = 0; fraction < 1024; fraction++) {
      const value = (first + fraction) * spacing;
      table[at + fraction] = value;
      table[0x8000 + at + fraction] = -value;
    }
  }
  table.fill(Number.NaN, 0x7c00, 0x8000).fill(Number.NaN, 0xfc00);
  table[0x7c00] = Number.POSITIVE_INFINITY;
  table[0xfc00] = Number.NEGATIVE_INFINITY;
  return table;
}

/**
 * Copies a tensor's row into a buffer, converting whatever dtype and stride it has.
 *
 * @param at where the row's first element goes
 * @param step from one element to the next in the buffer
 * @param start where the row starts in the tensor's data
 * @param stride from one element to the next in the tensor's data
 */
export function packRow(
  to: Packed,
  at: number,
  step: number,
  from: HostTensor,
  start: number,
  stride: number,
  size: number,
): void {
  const { data } = from;
  if (holdsBits(data)) {
    const table = float16Table();
    for (let c = 0, t = at, f = start; c < size; c++, t += step, f += stride) {
      to[t] = table[data[f] as number] as number;
    }
  } else {
    for (let c = 0, t = at, f = start; c < size; c++, t += step, f += stride) {
      to[t] = data[f] as number;
    }
  }
}

/**
 * As {@link packRow}, for a row of int8 and its scale. Apart from it: a loop that has met arrays of many
 * kinds is slow on all of them.
 */
export function packScaledRow(
  to: Packed,
  at: number,
  step: number,
  data: Int8Array,
  start: number,
  stride: number,
  size: number,
  scale: number,
): void {
  for (let c = 0, t = at, f = start; c < size; c++, t += step, f += stride) {
    to[t] = (data[f] as number) * scale;
  }
}
