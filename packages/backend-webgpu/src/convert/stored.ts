import { bytesPerElement, type FloatDType, type TensorLayout } from "@heed/core";
import type { Capabilities } from "../capabilities.js";
import type { Operand } from "../execution/regions.js";
import type { Layouts, Step } from "../execution/steps.js";
import type { Storage } from "../wgsl/kernel.js";
import { unpackOperand } from "./schedule.js";

/** A tensor in a buffer, as the kernel reads it. */
export interface Stored {
  readonly buffer: string;
  readonly operand: Operand;
  readonly steps: readonly Step[];
  readonly workspace: ReadonlyMap<string, number>;
}

/** Element type of a tensor in the kernel. */
export function storageOf(dtype: FloatDType, { float16 }: Capabilities): Storage {
  return dtype === "float16" && float16 ? "f16" : "f32";
}

/**
 * A tensor of up to four axes as a kernel reads it, converted where the device has no float16.
 *
 * @param shape sizes of the four axes that the tensor is read as
 */
export function store(
  dtype: FloatDType,
  name: string,
  layouts: Layouts,
  shape: readonly number[],
  capabilities: Capabilities,
): Stored {
  const layout = layouts.get(name) as TensorLayout;
  const missing = 4 - layout.strides.length;
  const stride = (axis: number): number =>
    axis < missing ? 0 : (layout.strides[axis - missing] as number);
  const operand: Operand = {
    offset: layout.offset,
    strides: [stride(0), stride(1), stride(2), stride(3)],
    elementBytes: bytesPerElement(dtype),
  };
  if (dtype !== "float16" || capabilities.float16) {
    return { buffer: name, operand, steps: [], workspace: new Map() };
  }
  return unpackOperand(capabilities, name, operand, shape);
}
