import { dispatch } from "../../execution/dispatch.js";
import type { Operand } from "../../execution/regions.js";
import type { BoundWindow, Schedule, Step } from "../../execution/steps.js";
import { linearThreads } from "../../wgsl/linear.js";
import { packKernel, unpackKernel } from "../kernels/convert.js";
import {
  type AttentionOperands,
  type BufferName,
  bindingLimits,
  type Stored,
  type StoredInputs,
  type Task,
} from "./task.js";

/** float16 elements at which a binding can start. */
const convertGrain = 128;

type Converted = "output" | "weights" | "scores";

/** Where a result of the problem's dtype is computed: in its own buffer, or as float32. */
export function computedIn({ choice }: Task, name: Converted): BufferName {
  return choice.convert ? `${name}32` : name;
}

/** The inputs as kernels read them: float16 ones as float32 copies, where there is no shader-f16. */
export function unpackInputs(
  task: Task,
  operands: AttentionOperands,
): Schedule & { inputs: StoredInputs } {
  const { problem, choice } = task;
  const { batch, queryHeads, kvHeads, queryLength, keyLength, headDim, valueDim } = problem;
  const steps: Step[] = [];
  const workspace = new Map<BufferName, number>();
  const unpack = (
    buffer: "query" | "key" | "value" | "bias",
    operand: Operand,
    shape: readonly number[],
  ): Stored => {
    if (!choice.convert || operand.elementBytes !== 2) return { buffer, operand };
    // Whole bindings are converted, so the copy starts where one can.
    const first = Math.floor(operand.offset / convertGrain) * convertGrain;
    const end = shape.reduce(
      (at, size, axis) => at + (size - 1) * (operand.strides[axis] as number),
      operand.offset + 1,
    );
    const count = shape.includes(0) ? 0 : end - first;
    const copy = `${buffer}32` as const;
    workspace.set(copy, 4 * count);
    const conversion = { float16: buffer, first, float32: copy, count };
    steps.push(...convert(task, "float32", conversion));
    return {
      buffer: copy,
      operand: { ...operand, offset: operand.offset - first, elementBytes: 4 },
    };
  };
  const { query, key, value, mask, bias } = operands;
  const inputs = {
    query: unpack("query", query, [batch, queryHeads, queryLength, headDim]),
    key: unpack("key", key, [batch, kvHeads, keyLength, headDim]),
    value: unpack("value", value, [batch, kvHeads, keyLength, valueDim]),
    mask: mask && { buffer: "mask" as const, operand: mask },
    bias: bias && unpack("bias", bias, [batch, queryHeads, queryLength, keyLength]),
  };
  return { inputs, steps, workspace };
}

/** A result of so many elements from where it was computed. */
export function packResult(task: Task, name: Converted, count: number): Schedule {
  if (!task.choice.convert) return { steps: [], workspace: new Map() };
  const float32 = `${name}32` as const;
  return {
    steps: convert(task, "float16", { float16: name, first: 0, float32, count }),
    workspace: new Map([[float32, 4 * count]]),
  };
}

interface Conversion {
  readonly float16: BufferName;
  /** Of the float16 elements; the float32 ones start at 0. */
  readonly first: number;
  readonly float32: BufferName;
  readonly count: number;
}

/** Converts elements in order, in parts that fit into bindings on both sides. */
function convert(
  { capabilities }: Task,
  to: "float16" | "float32",
  { float16, first, float32, count }: Conversion,
): Step[] {
  const { bytes } = bindingLimits(capabilities);
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
