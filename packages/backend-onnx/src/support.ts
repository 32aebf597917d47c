import {
  type AttentionProblem,
  bytesPerElement,
  type Support,
  type SupportReason,
  statisticsDType,
} from "@heed/core";
import type { ProviderTraits } from "./traits.js";

/** Matrices of logits that live at once: what an operator reads, and what it writes. */
const logitsAlive = 2;

/** Bytes of a matrix of logits, `[batch, queryHeads, queryLength, keyLength]`. */
function logitsBytes(problem: AttentionProblem): number {
  const { batch, queryHeads, queryLength, keyLength, dtype } = problem;
  return batch * queryHeads * queryLength * keyLength * bytesPerElement(statisticsDType(dtype));
}

/** Bytes that a run needs beside inputs and outputs: an estimate, as onnxruntime plans its memory. */
export function workspaceBytes(problem: AttentionProblem): number {
  return logitsAlive * logitsBytes(problem);
}

/** Pure: what a provider with these traits makes of a problem. */
export function supportOf(problem: AttentionProblem, traits: ProviderTraits): Support {
  const { provider, largestTensor, memory } = traits;
  const reasons: SupportReason[] = [];
  if (problem.dtype === "float64" && !traits.float64) {
    reasons.push({
      code: "dtype",
      message: `onnxruntime's provider ${provider} has no kernels for float64`,
      hint: "providers wasm and cpu have",
    });
  }
  const tooLarge = (what: string, bytes: number, limit: number | null): void => {
    if (limit === null || bytes <= limit) return;
    reasons.push({
      code: "too-large",
      message: `${what} some ${mebibytes(bytes)} MiB, and provider ${provider} has ${mebibytes(limit)}`,
      hint: "onnxruntime keeps every logit: split the query, or use a backend that does not",
    });
  };
  tooLarge("its logits are one tensor of", logitsBytes(problem), largestTensor);
  tooLarge("it needs", workspaceBytes(problem), memory);
  return reasons.length === 0 ? { ok: true } : { ok: false, reasons };
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}
