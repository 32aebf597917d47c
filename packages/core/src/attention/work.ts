import type { Work } from "../operation/problem.js";
import { checkProblem } from "../operation/problem.js";
import { reading } from "../options.js";
import { bytesPerElement } from "../tensor/dtype.js";
import { type BoundPositions, bindPositions } from "./bind.js";
import type { AttentionInputs } from "./inputs.js";
import type { AttentionProblem } from "./problem.js";
import { visibleBand, visibleKeys } from "./visibility.js";

/** Work that a call of attention has to do at least, whichever backend does it. */
export interface AttentionWork extends Work {
  /** (query, key) pairs over all batches and query heads that causal, window and lengths leave. */
  readonly visiblePairs: number;
  /**
   * Operations of the two matrix products on those pairs, a multiply-add counting as two: the
   * convention of FlashAttention's tables. Softmax, bias and masks are not counted.
   */
  readonly flops: number;
  /**
   * Bytes that must move if everything moves once: queries, the keys and values that any query of
   * their batch sees, mask and bias as they are stored, and the output.
   */
  readonly bytes: number;
}

/** The least work of a call; see {@link AttentionWork}. */
export function attentionWork(problem: AttentionProblem, inputs: AttentionInputs): AttentionWork {
  return workOf(problem, bindPositions(problem, inputs));
}

/**
 * The least work at given positions.
 *
 * @param problem its explicit mask counts as fully visible: which elements are set is data that a
 *   dense kernel has to look at either way
 * @param positions offsets and lengths, one a batch
 */
export function workOf(problem: AttentionProblem, positions: BoundPositions): AttentionWork {
  checkProblem(problem, "attention");
  return reading("positions", () => countWork(problem, positions));
}

function countWork(problem: AttentionProblem, positions: BoundPositions): AttentionWork {
  const { batch, queryHeads, kvHeads, queryLength, headDim, valueDim } = problem;
  const element = bytesPerElement(problem.dtype);
  let pairs = 0;
  let keysRead = 0;
  for (let b = 0; b < batch; b++) {
    const seen = seenByOneHead(problem, positions.offsets[b] ?? 0, positions.kvLengths[b] ?? 0);
    pairs += seen.pairs;
    keysRead += seen.keys;
  }
  const visiblePairs = pairs * queryHeads;
  const rows = batch * queryHeads * queryLength;
  return {
    visiblePairs,
    flops: 2 * visiblePairs * (headDim + valueDim),
    bytes:
      element * (rows * (headDim + valueDim) + kvHeads * keysRead * (headDim + valueDim)) +
      broadcastBytes(problem.mask) +
      broadcastBytes(problem.bias),
  };
}

/** Pairs of one head of one batch, and how many keys at least one of its queries sees. */
function seenByOneHead(
  problem: AttentionProblem,
  offset: number,
  length: number,
): { readonly pairs: number; readonly keys: number } {
  const band = visibleBand(problem);
  let pairs = 0;
  let keys = 0;
  // The first key that no earlier query has seen: bands only move forward.
  let unseen = 0;
  for (let i = 0; i < problem.queryLength; i++) {
    const { start, end } = visibleKeys(band, length, i + offset);
    pairs += end - start;
    keys += Math.max(0, end - Math.max(start, unseen));
    unseen = Math.max(unseen, end);
  }
  return { pairs, keys };
}

function broadcastBytes(input: AttentionProblem["mask"] | AttentionProblem["bias"]): number {
  if (input === null) return 0;
  return bytesPerElement(input.dtype) * input.shape.reduce((count, size) => count * size, 1);
}
