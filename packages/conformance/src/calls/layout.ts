import { contiguous, fromFloat64, type HostTensor, tensor, transpose } from "@heed/core";
import type { Layout } from "../operations/attention/spec.js";

/** The same elements in another place: a view of `[batch, heads, length, size]`. */
export function layOut(t: HostTensor, layout: Layout): HostTensor {
  switch (layout) {
    case "blhd":
      return transpose(contiguous(transpose(t, [0, 2, 1, 3])), [0, 2, 1, 3]);
    case "bhdl":
      return transpose(contiguous(transpose(t, [0, 1, 3, 2])), [0, 1, 3, 2]);
    case "offset": {
      // A buffer with 5 elements before and 3 after, and gaps of 2 between rows.
      const [b, h, l, d] = t.shape as [number, number, number, number];
      const row = d + 2;
      const strides = [h * l * row, l * row, row, 1];
      const length = 5 + b * h * l * row + 3;
      const wide = fromFloat64(new Float64Array(length).fill(Number.NaN), [length], t.dtype);
      const view = tensor(wide.data, t.shape, { dtype: t.dtype, strides, offset: 5 });
      let at = 0;
      const from = t.data;
      for (let r = 0; r < b * h * l; r++) {
        for (let c = 0; c < d; c++) view.data[5 + r * row + c] = from[at++] as number;
      }
      return view;
    }
    case "odd-start":
    case "odd-heads": {
      const [b, h, l, d] = t.shape as [number, number, number, number];
      const head = l * d + (layout === "odd-heads" ? 1 : 0);
      const start = layout === "odd-start" ? 1 : 0;
      const length = start + b * h * head;
      const wide = fromFloat64(new Float64Array(length).fill(Number.NaN), [length], t.dtype);
      for (let r = 0; r < b * h; r++) {
        wide.data.set(t.data.subarray(r * l * d, (r + 1) * l * d) as never, start + r * head);
      }
      const strides = [h * head, head, d, 1];
      return tensor(wide.data, t.shape, { dtype: t.dtype, strides, offset: start });
    }
    default:
      return t;
  }
}

/** The same values through strides that are not row-major. */
export function strided(t: HostTensor, wanted: boolean | undefined): HostTensor {
  if (!wanted || t.shape.length < 2) return t;
  const axes = t.shape.map((_, axis) => axis).reverse();
  return transpose(contiguous(transpose(t, axes)), axes);
}
