import {
  type BoundRotary,
  type HostTensor,
  type Implementation,
  implement,
  type RotaryOutputs,
  type RotaryProblem,
  rotary,
  toFloat64,
  writeValues,
  zeros,
} from "@heed/core";
import { packRow } from "../tensor/pack.js";

/** Rotary position embedding, a head vector at a time, in float64 with one rounding at the end. */
export const rotaryKernels: Implementation<unknown> = implement(rotary, {
  plan: (problem: RotaryProblem) => ({
    description: {
      kernel: `rotary-${problem.interleaved ? "interleaved" : "halves"}`,
      tiles: {},
      workspaceBytes: 8 * problem.rotaryDim * Math.min(problem.tableRows, tokensOf(problem)),
      dispatches: 1,
    },
    run: (bound) => turn(problem, bound as BoundRotary<HostTensor>),
  }),
});

function turn(problem: RotaryProblem, bound: BoundRotary<HostTensor>): RotaryOutputs<HostTensor> {
  const { batch, heads, length, headDim, rotaryDim, interleaved, dtype } = problem;
  const { input, rows } = bound;
  const half = rotaryDim / 2;
  // A model's tables may hold far more positions than a call looks up.
  const whole = problem.tableRows <= tokensOf(problem);
  const cos = whole ? toFloat64(bound.cos) : lookUp(bound.cos, rows, half);
  const sin = whole ? toFloat64(bound.sin) : lookUp(bound.sin, rows, half);
  const output = zeros(dtype, [batch, heads, length, headDim]);
  // Neighbours of a pair: next to each other, or half of what is turned apart.
  const step = interleaved ? 2 : 1;
  const apart = interleaved ? 1 : half;
  const vector: number[] = new Array(headDim).fill(0.5);
  const [sb, sh, sl, stride] = input.strides as [number, number, number, number];
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let l = 0; l < length; l++) {
        const start = input.offset + b * sb + h * sh + l * sl;
        packRow(vector, 0, 1, input, start, stride, headDim);
        const token = b * length + l;
        const row = (whole ? (rows[token] as number) : token) * half;
        for (let i = 0, a = 0; i < half; i++, a += step) {
          const x = vector[a] as number;
          const y = vector[a + apart] as number;
          const c = cos[row + i] as number;
          const s = sin[row + i] as number;
          vector[a] = x * c - y * s;
          vector[a + apart] = y * c + x * s;
        }
        writeValues(vector, output.data, ((b * heads + h) * length + l) * headDim, dtype);
      }
    }
  }
  return { output };
}

function tokensOf({ batch, length }: RotaryProblem): number {
  return batch * length;
}

/** The rows of a table that the tokens need, one after another. */
function lookUp(table: HostTensor, rows: ArrayLike<number>, half: number): Float64Array {
  const found = new Float64Array(rows.length * half);
  const row: number[] = new Array(half).fill(0.5);
  const [rowStride, stride] = table.strides as [number, number];
  for (let token = 0; token < rows.length; token++) {
    const start = table.offset + (rows[token] as number) * rowStride;
    packRow(row, 0, 1, table, start, stride, half);
    found.set(row, token * half);
  }
  return found;
}
