import { type HostTensor, zeros } from "../tensor/tensor.js";
import { toFloat64 } from "../tensor/values.js";
import type { BoundRotary } from "./bind.js";
import type { RotaryOutputs } from "./inputs.js";

/** Rotary position embedding in float64, one head vector at a time: the oracle for backends. */
export function referenceRotary(bound: BoundRotary<HostTensor>): RotaryOutputs<HostTensor> {
  const { batch, heads, length, headDim, rotaryDim, interleaved } = bound.problem;
  const half = rotaryDim / 2;
  const input = toFloat64(bound.input);
  const cos = toFloat64(bound.cos);
  const sin = toFloat64(bound.sin);
  const output = zeros("float64", [batch, heads, length, headDim]);
  output.data.set(input);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let l = 0; l < length; l++) {
        const at = ((b * heads + h) * length + l) * headDim;
        const row = (bound.rows[b * length + l] as number) * half;
        for (let i = 0; i < half; i++) {
          const first = at + (interleaved ? 2 * i : i);
          const second = at + (interleaved ? 2 * i + 1 : i + half);
          const [x, y] = [input[first] as number, input[second] as number];
          const [c, s] = [cos[row + i] as number, sin[row + i] as number];
          output.data[first] = x * c - y * s;
          output.data[second] = y * c + x * s;
        }
      }
    }
  }
  return { output };
}
