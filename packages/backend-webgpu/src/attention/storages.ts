import { type AttentionProblem, headsPerGroup } from "@heed/core";
import type { Capabilities } from "../capabilities.js";
import type { Storage } from "../wgsl/kernel.js";
import { isGathered } from "./gathered.js";
import { decodeRows } from "./kernels/decode.js";
import { programsOf, readsBuffer } from "./programs/kernel-programs.js";
import type { KeyElement } from "./wgsl/reads.js";

/** How a problem's tensors are stored and read on a device. */
export interface Storages {
  /** Element type of inputs and outputs in the buffers that kernels use. */
  readonly storage: Storage;
  /** Element type of the bias; may differ from the inputs'. */
  readonly bias: Storage;
  /** Element type of keys and values. */
  readonly keys: KeyElement;
  /** Whether workgroups take their rows and keys from lists of the call. */
  readonly gathered: boolean;
  /** Whether scales and mask are copied into one buffer, since the device binds too few. */
  readonly joined: boolean;
  /** Whether float16 tensors are copied to float32 and back, since the device has no shader-f16. */
  readonly convert: boolean;
}

/** How a device stores a problem's tensors. Pure. */
export function storages(problem: AttentionProblem, capabilities: Capabilities): Storages {
  const { float16, limits } = capabilities;
  const half = problem.dtype === "float16";
  const gathered = takesLists(problem, capabilities);
  const storage: Storage = half && float16 ? "f16" : "f32";
  return {
    storage,
    bias:
      problem.bias === null ? storage : problem.bias.dtype === "float16" && float16 ? "f16" : "f32",
    keys: keyElement(problem, capabilities),
    gathered,
    joined: buffersOf(problem) > limits.maxStorageBuffersPerShaderStage,
    convert: half && !float16,
  };
}

/**
 * Whether workgroups take rows and keys from lists of the call: always where keys are not of the query's
 * type, so that there are fewer forms of kernels.
 */
export function takesLists(problem: AttentionProblem, capabilities: Capabilities): boolean {
  const { dtype, kvDtype } = problem;
  return isGathered(problem) || kvDtype !== dtype || convertsWhileReading(problem, capabilities);
}

/**
 * Whether float16 keys are converted as they are read, without shader-f16. In prefill they are converted
 * once, since each is read for many rows; but few rows read them once, and a call uses some pages of many.
 * Lists of rows leave a head's keys in one binding: where they do not fit, conversion cuts them.
 */
function convertsWhileReading(
  problem: AttentionProblem,
  { float16, limits }: Capabilities,
): boolean {
  const { dtype, kvDtype, queryLength, keyLength, headDim, valueDim } = problem;
  if (float16 || kvDtype !== "float16") return false;
  if (dtype === "float32" || isGathered(problem)) return true;
  const few = headsPerGroup(problem) * queryLength <= 2 * decodeRows;
  const headBytes = 2 * keyLength * Math.max(headDim, valueDim);
  return few && headBytes <= limits.maxStorageBufferBindingSize;
}

function keyElement(problem: AttentionProblem, capabilities: Capabilities): KeyElement {
  if (problem.kvDtype === "int8") return "i8";
  if (problem.kvDtype === "float16" && capabilities.float16) return "f16";
  return convertsWhileReading(problem, capabilities) ? "f16-words" : "f32";
}

/** Storage buffers of a kernel that reads everything that there is beside keys and values. */
function buffersOf(problem: AttentionProblem): number {
  const { kvDtype, mask, bias } = problem;
  const some = [mask !== null, bias !== null, readsBuffer(programsOf(problem))];
  return 6 + (kvDtype === "int8" ? 2 : 0) + some.filter(Boolean).length;
}
