import {
  type BoundProjection,
  type HostTensor,
  type Implementation,
  implement,
  type ProjectionOutputs,
  type ProjectionProblem,
  projection,
  toFloat64,
  writeValues,
  zeros,
} from "@heed/core";
import { packRow } from "../tensor/pack.js";

/** Input rows that share a read of the weight, and outputs that share one of the input. */
const [blockRows, blockColumns] = [2, 4];

/** A linear layer, two rows by four outputs at a time, in float64 with one rounding at the end. */
export const projectionKernels: Implementation<unknown> = implement(projection, {
  plan: (problem: ProjectionProblem) => ({
    description: {
      kernel: `projection-blocks-${blockRows}x${blockColumns}`,
      tiles: { queries: blockRows, columns: blockColumns },
      workspaceBytes: 8 * (blockRows + blockColumns) * problem.inputSize,
      dispatches: 1,
    },
    run: (bound) => project(problem, bound as BoundProjection<HostTensor>),
  }),
});

function project(
  problem: ProjectionProblem,
  bound: BoundProjection<HostTensor>,
): ProjectionOutputs<HostTensor> {
  const { batch, length, inputSize, outputSize, dtype } = problem;
  const rows = batch * length;
  const output = zeros(dtype, [batch, length, outputSize]);
  const bias = bound.bias ? toFloat64(bound.bias) : null;
  const x = toFloat64(bound.input);
  const { weight } = bound;
  const [rowStride, stride] = weight.strides as [number, number];
  // Weight rows are widened once, for all rows of the input.
  const w: number[] = new Array(blockColumns * inputSize).fill(0.5);
  const sums = new Float64Array(rows * blockColumns);
  for (let first = 0; first < outputSize; first += blockColumns) {
    const columns = Math.min(blockColumns, outputSize - first);
    for (let c = 0; c < blockColumns; c++) {
      // Past the end, the last row again: its sums are not stored.
      const row = first + Math.min(c, columns - 1);
      packRow(w, c * inputSize, 1, weight, weight.offset + row * rowStride, stride, inputSize);
    }
    for (let r = 0; r < rows; r += blockRows) {
      addBlock(x, r * inputSize, Math.min(r + 1, rows - 1) * inputSize, w, inputSize, sums, r);
    }
    for (let r = 0; r < rows; r++) {
      const row = sums.subarray(r * blockColumns, r * blockColumns + columns);
      if (bias)
        for (let c = 0; c < columns; c++) row[c] = (row[c] as number) + (bias[first + c] as number);
      writeValues(row, output.data, r * outputSize + first, dtype);
    }
  }
  return { output };
}

/** Dot products of two input rows, which start at a and b, with four weight rows. */
function addBlock(
  x: Float64Array,
  a: number,
  b: number,
  w: readonly number[],
  size: number,
  sums: Float64Array,
  row: number,
): void {
  let [a0, a1, a2, a3, b0, b1, b2, b3] = [0, 0, 0, 0, 0, 0, 0, 0];
  const [w1, w2, w3] = [size, 2 * size, 3 * size];
  for (let i = 0; i < size; i++) {
    const xa = x[a + i] as number;
    const xb = x[b + i] as number;
    const c0 = w[i] as number;
    const c1 = w[w1 + i] as number;
    const c2 = w[w2 + i] as number;
    const c3 = w[w3 + i] as number;
    a0 += xa * c0;
    a1 += xa * c1;
    a2 += xa * c2;
    a3 += xa * c3;
    b0 += xb * c0;
    b1 += xb * c1;
    b2 += xb * c2;
    b3 += xb * c3;
  }
  const at = row * blockColumns;
  sums[at] = a0;
  sums[at + 1] = a1;
  sums[at + 2] = a2;
  sums[at + 3] = a3;
  if (a === b) return;
  sums[at + 4] = b0;
  sums[at + 5] = b1;
  sums[at + 6] = b2;
  sums[at + 7] = b3;
}
