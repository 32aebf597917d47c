import { packResult, unpackOperand } from "../../convert/schedule.js";
import type { Operand } from "../../execution/regions.js";
import type { Schedule, Step } from "../../execution/steps.js";
import type { AttentionOperands, BufferName, Stored, StoredInputs, Task } from "./task.js";

type Converted = "output" | "weights" | "scores";

/** The buffer that a result of the problem's dtype is computed in: its own, or a float32 one. */
export function computedIn({ choice }: Task, name: Converted): BufferName {
  return choice.convert ? `${name}32` : name;
}

/** The inputs as kernels read them: float16 ones as float32 copies, where there is no shader-f16. */
export function unpackInputs(
  { problem, choice, capabilities }: Task,
  operands: AttentionOperands,
): Schedule & { inputs: StoredInputs } {
  const { batch, queryHeads, kvHeads, queryLength, keyLength, headDim, valueDim } = problem;
  const steps: Step[] = [];
  const workspace = new Map<string, number>();
  const unpack = (
    buffer: "query" | "key" | "value" | "bias",
    operand: Operand,
    shape: readonly number[],
  ): Stored => {
    const asStored = buffer === "key" || buffer === "value" ? choice.keys !== "f32" : false;
    if (!choice.convert || operand.elementBytes !== 2 || asStored) return { buffer, operand };
    const unpacked = unpackOperand(capabilities, buffer, operand, shape);
    steps.push(...unpacked.steps);
    for (const [name, bytes] of unpacked.workspace) workspace.set(name, bytes);
    return { buffer: `${buffer}32`, operand: unpacked.operand };
  };
  const { query, key, value, keyScales, valueScales, mask, bias } = operands;
  const inputs = {
    query: unpack("query", query, [batch, queryHeads, queryLength, headDim]),
    key: unpack("key", key, [batch, kvHeads, keyLength, headDim]),
    value: unpack("value", value, [batch, kvHeads, keyLength, valueDim]),
    keyScales: keyScales && { buffer: "keyScales" as const, operand: keyScales },
    valueScales: valueScales && { buffer: "valueScales" as const, operand: valueScales },
    mask: mask && { buffer: "mask" as const, operand: mask },
    besideWords: 0,
    bias: bias && unpack("bias", bias, [batch, queryHeads, queryLength, keyLength]),
  };
  return { inputs, steps, workspace };
}

/** Rounds a result of so many elements to float16, where it was computed in float32. */
export function packOutput(
  { choice, capabilities }: Task,
  name: Converted,
  count: number,
): Schedule {
  return choice.convert
    ? packResult(capabilities, name, count)
    : { steps: [], workspace: new Map() };
}
