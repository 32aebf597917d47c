import { type AttentionProblem, bytesPerElement, rowMajorStrides } from "@heed/core";
import type { DeviceLayout } from "./memory/tensor.js";
import type { Operand } from "./schedule/regions.js";
import type { Layouts } from "./schedule/steps.js";

/** A tensor of rank 1 to 4 as an operand: missing leading axes and axes of size 1 repeat. */
export function operandOf({ dtype, shape, strides, offset }: DeviceLayout): Operand {
  const missing = 4 - shape.length;
  const stride = (axis: number): number =>
    axis < missing || shape[axis - missing] === 1 ? 0 : (strides[axis - missing] as number);
  return {
    offset,
    strides: [stride(0), stride(1), stride(2), stride(3)],
    elementBytes: bytesPerElement(dtype),
  };
}

/** Inputs without gaps from the start of their buffers: what a plan describes itself with. */
export function denseLayouts(problem: AttentionProblem): Layouts {
  const { batch, queryHeads, kvHeads, queryLength, keyLength, headDim, valueDim, dtype } = problem;
  const dense = (type: DeviceLayout["dtype"], shape: readonly number[]): Operand =>
    operandOf({ dtype: type, shape, strides: rowMajorStrides(shape), offset: 0 });
  return {
    query: dense(dtype, [batch, queryHeads, queryLength, headDim]),
    key: dense(dtype, [batch, kvHeads, keyLength, headDim]),
    value: dense(dtype, [batch, kvHeads, keyLength, valueDim]),
    mask: problem.mask && dense("bool", problem.mask.shape),
    bias: problem.bias && dense(problem.bias.dtype, problem.bias.shape),
  };
}

/** Equal where schedules are. */
export function layoutKey(layouts: Layouts): string {
  return Object.values(layouts)
    .map((operand: Operand | null) => (operand ? [operand.offset, ...operand.strides].join() : "-"))
    .join(" ");
}
