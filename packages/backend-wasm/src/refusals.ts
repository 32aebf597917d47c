import { bytesPerElement, elementCount, type OperandSpec, type SupportReason } from "@heed/core";
import type { WasmMemory } from "./memory/memory.js";

// Reasons why the backend refuses a problem, whichever operation it is of.

/** Refusal of float64. */
export const float64Refused: SupportReason = {
  code: "dtype",
  message: "float64 is not supported: the kernels compute in float32",
  hint: "cast to float32, or use a backend that computes in float64",
};

/** Bytes that alignment and the control block take at most. */
const reservedBytes = 65536;

/**
 * Refusal of a problem that does not fit into the memory, or null.
 *
 * @param bytes of inputs, outputs and workspace
 * @param hint how to make the problem smaller
 */
export function tooLarge(memory: WasmMemory, bytes: number, hint: string): SupportReason | null {
  const limit = memory.limit - reservedBytes;
  if (bytes <= limit) return null;
  return {
    code: "memory",
    message: `inputs, outputs and workspace take ${bytes} bytes, and wasm memory has at most ${limit}`,
    hint,
  };
}

/** Refusal of a problem whose tensors do not fit into the memory with the workspace of a run, or null; see {@link tooLarge}. */
export function operandsTooLarge(
  memory: WasmMemory,
  operands: readonly OperandSpec[],
  workspaceBytes: number,
  hint: string,
): SupportReason | null {
  const bytes = operands.reduce(
    (sum, { dtype, shape }) => sum + bytesPerElement(dtype) * elementCount(shape),
    workspaceBytes,
  );
  return tooLarge(memory, bytes, hint);
}
