import type { Operand } from "../../execution/regions.js";
import { elementsOfWord, type Reads } from "../wgsl/reads.js";
import type { StoredInputs, Task } from "./task.js";

/** Whether rows can be read four elements at a time. Bindings start at multiples of 256 bytes. */
export function inFours({ offset, strides }: Operand, size: number): boolean {
  const [batch, head, row, column] = strides;
  return column === 1 && [offset, batch, head, row, size].every((n) => n % 4 === 0);
}

/**
 * How a kernel reads keys and values.
 *
 * @param values whether it reads values, too
 */
export function readsOf(
  { problem, choice }: Pick<Task, "problem" | "choice">,
  inputs: Pick<StoredInputs, "key" | "value">,
  values: boolean,
): Reads {
  const { keys: element, gathered, joined } = choice;
  const { headDim, valueDim, mask, bias } = problem;
  const scaled = element === "i8";
  const aligned =
    inFours(inputs.key.operand, headDim) && (!values || inFours(inputs.value.operand, valueDim));
  return {
    element,
    words: elementsOfWord(element) > 1 && aligned,
    gathered,
    mask: !scaled || mask !== null,
    bias: !scaled || bias !== null,
    // A kernel without values has buffers to spare.
    joined: joined && values,
  };
}
