import { type HostTensor, zeros } from "../tensor/tensor.js";
import { toFloat64 } from "../tensor/values.js";
import type { BoundScatter } from "./bind.js";
import type { ScatterOutputs } from "./inputs.js";

/**
 * Scatter in float64: the oracle for backends. Values of a float target are not rounded; elements of an
 * int8 target are the integers themselves, and scales are rounded to float32, since elements follow from
 * them.
 */
export function referenceScatter(bound: BoundScatter<HostTensor>): ScatterOutputs<HostTensor> {
  const { problem, slots } = bound;
  const { batch, heads, count, headDim, entries, rows } = problem;
  const target = zeros("float64", [entries, heads, rows, headDim]);
  target.data.set(toFloat64(bound.target));
  const scales = bound.scales && zeros("float64", [entries, heads, rows]);
  if (bound.scales) scales?.data.set(toFloat64(bound.scales));
  const source = toFloat64(bound.source);
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < count; i++) {
      const slot = slots[b * count + i] as number;
      if (slot === -1) continue;
      const [entry, row] = [Math.floor(slot / rows), slot % rows];
      for (let h = 0; h < heads; h++) {
        const from = ((b * heads + h) * count + i) * headDim;
        const values = source.subarray(from, from + headDim);
        const place = (entry * heads + h) * rows + row;
        if (scales) {
          const quantised = quantise(values);
          scales.data[place] = quantised.scale;
          target.data.set(quantised.elements, place * headDim);
        } else {
          target.data.set(values, place * headDim);
        }
      }
    }
  }
  return { target, ...(scales && { scales }) };
}

/** A row as its scale and integers from −127 to 127. */
function quantise(row: Float64Array): { scale: number; elements: readonly number[] } {
  const scale = Math.fround(row.reduce((most, x) => Math.max(most, Math.abs(x)), 0) / 127);
  if (!Number.isFinite(scale)) return { scale: Number.NaN, elements: Array.from(row, () => 0) };
  if (scale === 0) return { scale, elements: Array.from(row, () => 0) };
  const elements = Array.from(row, (x) => {
    const q = x / scale;
    const floor = Math.floor(q);
    const up = q - floor > 0.5 || (q - floor === 0.5 && floor % 2 !== 0);
    return Math.max(-127, Math.min(127, up ? floor + 1 : floor));
  });
  return { scale, elements };
}
