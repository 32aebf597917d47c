import { bytesPerElement, type TensorLayout } from "@heed/core";
import type { Operand } from "../execution/regions.js";
import type { Layouts } from "../execution/steps.js";
import type { AttentionOperands } from "./schedule/task.js";

/** A tensor of rank 1 to 4 as an operand: missing leading axes and axes of size 1 repeat. */
function operandOf({ dtype, shape, strides, offset }: TensorLayout): Operand {
  const missing = 4 - shape.length;
  const stride = (axis: number): number =>
    axis < missing || shape[axis - missing] === 1 ? 0 : (strides[axis - missing] as number);
  return {
    offset,
    strides: [stride(0), stride(1), stride(2), stride(3)],
    elementBytes: bytesPerElement(dtype),
  };
}

/** Scales of rows, `[batch or pages, heads, rows]`, as an operand whose columns repeat. */
function scalesOf({ dtype, shape, strides, offset }: TensorLayout): Operand {
  const stride = (axis: number): number => (shape[axis] === 1 ? 0 : (strides[axis] as number));
  return {
    offset,
    strides: [stride(0), stride(1), stride(2), 0],
    elementBytes: bytesPerElement(dtype),
  };
}

/** The tensors that a call of attention reads, as operands of four axes. */
export function operandsOf(layouts: Layouts): AttentionOperands {
  const operand = (name: string): Operand | null => {
    const layout = layouts.get(name);
    return layout ? operandOf(layout) : null;
  };
  const required = (name: string): Operand => operand(name) as Operand;
  const scales = (name: string): Operand | null => {
    const layout = layouts.get(name);
    return layout ? scalesOf(layout) : null;
  };
  return {
    query: required("query"),
    key: required("key"),
    value: required("value"),
    keyScales: scales("keyScales"),
    valueScales: scales("valueScales"),
    mask: operand("mask"),
    bias: operand("bias"),
  };
}
