import { float16BitsToNumber, type HostTensor, holdsBits } from "@heed/core";

/** What kernels read: doubles, or float32 for what could also be read in place. */
export type Packed = number[] | Float32Array;

/** Every float16 value by its bits. Made when first needed: 256 KB. */
let float16Values: Float32Array | null = null;

function float16Table(): Float32Array {
  float16Values ??= Float32Array.from({ length: 0x10000 }, (_, bits) => float16BitsToNumber(bits));
  return float16Values;
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
