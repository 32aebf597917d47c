import type { Capabilities } from "../capabilities.js";
import { dispatch } from "../execution/dispatch.js";
import type { Operand, Strided } from "../execution/regions.js";
import type { BoundWindow, Schedule, Step } from "../execution/steps.js";
import { linearThreads } from "../wgsl/linear.js";
import { copyKernel, packKernel, unpackKernel } from "./kernels.js";

/** float16 elements at which a binding can start. */
const convertGrain = 128;

/** Elements of a buffer of float16 and of one of float32 that have the same values. */
export interface Conversion {
  readonly float16: string;
  /** First of the float16 elements; the float32 ones start at 0. */
  readonly first: number;
  readonly float32: string;
  readonly count: number;
}

/** Converts elements in order, in parts that fit into bindings on both sides. */
export function convert(
  capabilities: Capabilities,
  to: "float16" | "float32",
  { float16, first, float32, count }: Conversion,
): Step[] {
  const { maxStorageBufferBindingSize: bytes } = capabilities.limits;
  const most = Math.max(1, Math.floor(bytes / 4 / convertGrain)) * convertGrain;
  const steps: Step[] = [];
  for (let at = 0; at < count; at += most) {
    const part = Math.min(most, count - at);
    const words = Math.ceil(part / 2);
    const half: BoundWindow = { buffer: float16, start: 2 * (first + at), size: 4 * words };
    const single: BoundWindow = { buffer: float32, start: 4 * at, size: 4 * part };
    const work = {
      kernel: to === "float16" ? packKernel() : unpackKernel(),
      params: { count: part },
      windows: to === "float16" ? [single, half] : [half, single],
      workgroups: Math.ceil(words / linearThreads),
      operations: 1,
    };
    steps.push(...dispatch(work, capabilities));
  }
  return steps;
}

/** An operand of float16 as a float32 copy, for devices without shader-f16. */
export interface Unpacked<O extends Strided = Operand> extends Schedule {
  readonly buffer: string;
  readonly operand: O;
}

/**
 * Copies the part of a buffer that an operand reaches to float32.
 *
 * @param buffer name of the float16 buffer
 * @param shape sizes of the operand's axes
 * @param copy name of the float32 buffer
 */
export function unpackOperand<O extends Strided>(
  capabilities: Capabilities,
  buffer: string,
  operand: O,
  shape: readonly number[],
  copy = `${buffer}32`,
): Unpacked<O> {
  // Whole bindings are converted, so the copy starts where one can.
  const first = Math.floor(operand.offset / convertGrain) * convertGrain;
  const end = shape.reduce(
    (at, size, axis) => at + (size - 1) * (operand.strides[axis] as number),
    operand.offset + 1,
  );
  const count = shape.includes(0) ? 0 : end - first;
  return {
    buffer: copy,
    operand: { ...operand, offset: operand.offset - first, elementBytes: 4 },
    steps: convert(capabilities, "float32", { float16: buffer, first, float32: copy, count }),
    workspace: new Map([[copy, 4 * count]]),
  };
}

/** Rounds a result of so many elements, computed in the buffer `<name>32`, to float16. */
export function packResult(capabilities: Capabilities, name: string, count: number): Schedule {
  const float32 = `${name}32`;
  return {
    steps: convert(capabilities, "float16", { float16: name, first: 0, float32, count }),
    workspace: new Map([[float32, 4 * count]]),
  };
}

/** Words of one buffer that another gets. Both begin where a binding can. */
export interface WordCopy {
  readonly from: string;
  /** In bytes. */
  readonly first: number;
  readonly to: string;
  readonly at: number;
  readonly words: number;
}

/** Copies words as they are, in parts that fit into bindings. */
export function copy(capabilities: Capabilities, { from, first, to, at, words }: WordCopy): Step[] {
  const { maxStorageBufferBindingSize: bytes } = capabilities.limits;
  const most = Math.max(1, Math.floor(bytes / 256)) * 64;
  const steps: Step[] = [];
  for (let done = 0; done < words; done += most) {
    const part = Math.min(most, words - done);
    const work = {
      kernel: copyKernel(),
      params: { count: part },
      windows: [
        { buffer: from, start: first + 4 * done, size: 4 * part },
        { buffer: to, start: at + 4 * done, size: 4 * part },
      ],
      workgroups: Math.ceil(part / linearThreads),
      operations: 1,
    };
    steps.push(...dispatch(work, capabilities));
  }
  return steps;
}
