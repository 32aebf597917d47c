import type { Operand } from "../../execution/regions.js";
import { programsOf, readsBuffer } from "../programs/kernel-programs.js";
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
  { problem, choice, capabilities, blocks }: Task,
  inputs: Pick<StoredInputs, "key" | "value">,
  values: boolean,
): Reads {
  const { keys: element, gathered, joined } = choice;
  const { headDim, valueDim, mask, bias } = problem;
  const { software, limits } = capabilities;
  const programs = programsOf(problem, blocks);
  // Mask and bias are bound where there may be so many buffers, so that there are fewer forms of kernels; a
  // kernel without values has one less.
  const others =
    (values ? 6 : 5) + (element === "i8" ? (values ? 2 : 1) : 0) + (readsBuffer(programs) ? 1 : 0);
  const most = limits.maxStorageBuffersPerShaderStage;
  const few = others + 2 > most;
  const tooMany = others + (mask ? 1 : 0) + (bias ? 1 : 0) > most;
  const aligned =
    inFours(inputs.key.operand, headDim) && (!values || inFours(inputs.value.operand, valueDim));
  return {
    element,
    words: elementsOfWord(element) > 1 && aligned && !(choice.kernel === "tile" && software),
    gathered,
    mask: !few || mask !== null,
    bias: !few || bias !== null,
    joined: joined && tooMany,
    programs,
  };
}
