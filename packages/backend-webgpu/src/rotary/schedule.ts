import type { RotaryProblem, TensorLayout } from "@heed/core";
import type { Capabilities } from "../capabilities.js";
import { storageOf } from "../convert/stored.js";
import { length } from "../execution/regions.js";
import type { Layouts, Schedule } from "../execution/steps.js";
import { type BoundTable, scheduleVectors } from "../execution/vectors.js";
import { linearThreads } from "../wgsl/linear.js";
import { type RotaryParam, rotaryKernel } from "./kernel.js";

/** Tables that a token's row is looked up in: those of rank 2, in one piece. */
const noInner = 2 ** 31;

/**
 * Everything that a run does on the device, in order. Pure.
 *
 * @returns null where a table or a single head vector is larger than a binding
 */
export function scheduleRotary(
  problem: RotaryProblem,
  layouts: Layouts,
  capabilities: Capabilities,
): Schedule | null {
  const { batch, heads, length: rows, headDim, rotaryDim, interleaved } = problem;
  const { dtype, tableDType } = problem;
  const half = rotaryDim / 2;
  const columns = half + headDim - rotaryDim;
  const tableShape = (name: string) => (layouts.get(name) as TensorLayout).shape;
  return scheduleVectors<RotaryParam>(
    {
      kernel: rotaryKernel(storageOf(dtype, capabilities), storageOf(tableDType, capabilities)),
      shape: [batch, heads, rows, headDim],
      dtype,
      tables: ["cos", "sin"].map((name) => {
        const shape = tableShape(name);
        const outer = shape.length === 3 ? (shape[0] as number) : 1;
        return { name, dtype: tableDType, shape: [1, outer, shape.at(-2) as number, half] };
      }),
      params: (region, tables) => {
        const [cos, sin] = tables as [BoundTable, BoundTable];
        return {
          batches: length(region.batches),
          length: rows,
          columns,
          half,
          pairStep: interleaved ? 1 : half,
          nextPair: interleaved ? 2 : 1,
          tableInner: tableShape("cos").length === 3 ? rows : noInner,
          cosBase: cos.base,
          cosOuter: cos.strides[1],
          cosRow: cos.strides[2],
          cosColumn: cos.strides[3],
          sinBase: sin.base,
          sinOuter: sin.strides[1],
          sinRow: sin.strides[2],
          sinColumn: sin.strides[3],
        };
      },
      workgroups: ({ batches, heads, rows }) =>
        Math.ceil((length(batches) * length(heads) * length(rows) * columns) / linearThreads),
      operations: 6 * linearThreads,
    },
    layouts,
    capabilities,
  );
}
