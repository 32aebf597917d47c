import { copy } from "../../convert/schedule.js";
import type { Operand } from "../../execution/regions.js";
import type { Schedule, Step } from "../../execution/steps.js";
import { programsOf, readsBuffer } from "../programs/kernel-programs.js";
import type { Stored, StoredInputs, Task } from "./task.js";

/** Bytes at multiples of which a binding may start on every device. */
const bindingGrain = 256;

/**
 * Copies the scales of keys and values and the mask into one buffer, where the device binds too few for
 * all of them, and the bias as well beside programs. The parts keep their strides.
 */
export function joinBeside(
  { problem, choice, capabilities }: Task,
  inputs: StoredInputs,
): Schedule & { readonly inputs: StoredInputs } {
  const { keyScales, valueScales, mask, bias } = inputs;
  if (!choice.joined) {
    return { inputs, steps: [], workspace: new Map() };
  }
  const { batch, queryHeads, kvHeads, queryLength, keyLength, pages } = problem;
  const rows = pages ? [pages.count, kvHeads, pages.size, 1] : [batch, kvHeads, keyLength, 1];
  const steps: Step[] = [];
  let bytes = 0;
  const join = ({ buffer, operand }: Stored, shape: readonly number[]): Stored => {
    const first = operand.offset * operand.elementBytes;
    const start = Math.floor(first / bindingGrain) * bindingGrain;
    const reach = shape.includes(0) ? start : lastByte(operand, shape);
    const words = Math.ceil((reach - start) / 4);
    steps.push(
      ...copy(capabilities, { from: buffer, first: start, to: "beside", at: bytes, words }),
    );
    const offset = (bytes + first - start) / operand.elementBytes;
    bytes += Math.ceil((4 * words) / bindingGrain) * bindingGrain;
    return { buffer: "beside", operand: { ...operand, offset } };
  };
  const pairs = [batch, queryHeads, queryLength, keyLength];
  const joined = {
    ...inputs,
    keyScales: keyScales && join(keyScales, rows),
    valueScales: valueScales && join(valueScales, rows),
    mask: mask && join(mask, pairs),
    bias: bias && readsBuffer(programsOf(problem)) ? join(bias, pairs) : bias,
  };
  const besideWords = Math.max(1, bytes / 4);
  return {
    inputs: { ...joined, besideWords },
    steps,
    workspace: new Map([["beside", 4 * besideWords]]),
  };
}

/** Bytes from the beginning of a buffer to behind an operand's last element. */
function lastByte({ offset, strides, elementBytes }: Operand, shape: readonly number[]): number {
  const last = shape.reduce(
    (at, size, axis) => at + (size - 1) * (strides[axis] as number),
    offset,
  );
  return (last + 1) * elementBytes;
}
