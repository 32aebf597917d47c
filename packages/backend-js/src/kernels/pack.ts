import { float16BitsToNumber, type HostTensor, holdsBits } from "@heed/core";

/** Every float16 value by its bits. Made when first needed: 256 KB. */
let float16Values: Float32Array | null = null;

function float16Table(): Float32Array {
  float16Values ??= Float32Array.from({ length: 0x10000 }, (_, bits) => float16BitsToNumber(bits));
  return float16Values;
}

/**
 * Copies rows of a tensor into a dense tile, converting whatever dtype and strides it has.
 *
 * @param to rows of `stride` elements; what a row has past `size` becomes 0
 * @param start where the first row starts in the tensor's data
 * @param rowStride from one row to the next, in elements of the tensor
 * @param columnStride from one element of a row to the next
 */
export function packRows(
  to: Float64Array | Float32Array,
  stride: number,
  from: HostTensor,
  start: number,
  rowStride: number,
  columnStride: number,
  rows: number,
  size: number,
): void {
  const { data } = from;
  const table = holdsBits(data) ? float16Table() : null;
  for (let row = 0; row < rows; row++) {
    const at = row * stride;
    let source = start + row * rowStride;
    if (table) {
      for (let c = 0; c < size; c++, source += columnStride) {
        to[at + c] = table[data[source] as number] as number;
      }
    } else {
      for (let c = 0; c < size; c++, source += columnStride) to[at + c] = data[source] as number;
    }
    for (let c = size; c < stride; c++) to[at + c] = 0;
  }
}
