import type { Work } from "../operation/problem.js";
import { checkProblem } from "../operation/problem.js";
import { reading } from "../options.js";
import { type BlockMask, readBlockMask } from "../program/block-mask.js";
import { bytesPerElement } from "../tensor/dtype.js";
import { bindPositions } from "./bind-positions.js";
import type { AttentionInputs } from "./inputs.js";
import type { AttentionProblem } from "./problem.js";
import type { BoundBlockMask } from "./programs.js";
import { type BoundPositions, Sequence } from "./sequences.js";
import { type KeyRange, visibleBand, visibleKeys } from "./visibility.js";

/** Work that a call of attention has to do at least, whichever backend does it. */
export interface AttentionWork extends Work {
  /**
   * (query, key) pairs over all batches and query heads that causal, window, lengths and block mask leave: those
   * of a block that is not empty count, whatever a program hides of it.
   */
  readonly visiblePairs: number;
  /**
   * Operations of the two matrix products on those pairs, a multiply-add counting as two: the
   * convention of FlashAttention's tables. Softmax, bias and masks are not counted.
   */
  readonly flops: number;
  /**
   * Bytes that must move if everything moves once: queries, the keys and values as stored that any
   * query of their sequence sees (with the scales of int8; shared pages once), mask and bias as they
   * are stored, and the output.
   */
  readonly bytes: number;
}

/** The least work of a call; see {@link AttentionWork}. */
export function attentionWork(problem: AttentionProblem, inputs: AttentionInputs): AttentionWork {
  const positions = bindPositions(problem, inputs);
  const blockMask = reading("blockMask", () => inputs.blockMask);
  return workOf(problem, {
    ...positions,
    ...(blockMask !== undefined && { blockMask: { blocks: readBlockMask(blockMask) } }),
  });
}

/** Positions of a call, and the block mask of one that has any: a bound call is one. */
export interface WorkPositions extends BoundPositions {
  readonly blockMask?: Pick<BoundBlockMask, "blocks"> | null;
}

/**
 * The least work at given positions.
 *
 * @param problem its explicit mask counts as fully visible: which elements are set is data that a
 *   dense kernel has to look at either way. So do its programs, unless a block mask says what they hide
 * @param positions offsets, lengths, tables and block mask of the call
 */
export function workOf(problem: AttentionProblem, positions: WorkPositions): AttentionWork {
  checkProblem(problem, "attention");
  return reading("positions", () => countWork(problem, positions));
}

function countWork(problem: AttentionProblem, positions: WorkPositions): AttentionWork {
  const { batch, queryHeads, kvHeads, queryLength, headDim, valueDim, kvDtype } = problem;
  const stored = new StoredKeys(problem.pages !== null);
  const blocks = positions.blockMask?.blocks ?? null;
  let visiblePairs = 0;
  for (let s = 0; s < problem.sequences; s++) {
    const sequence = new Sequence(problem, positions, s);
    const isData = sequence.queryPositions !== null || sequence.keyPositions !== null;
    const see = (from: number, to: number) => stored.add(sequence, from, to);
    const ofHead = isData
      ? pairsByData(problem, sequence, see)
      : pairsByIndex(problem, sequence, see);
    const pairs = ofHead * queryHeads;
    visiblePairs += blocks ? Math.min(pairs, pairsOfBlocks(problem, sequence, blocks, s)) : pairs;
  }
  const rows = batch * queryHeads * queryLength;
  const keyBytes = bytesPerElement(kvDtype) * (headDim + valueDim) + (kvDtype === "int8" ? 8 : 0);
  return {
    visiblePairs,
    flops: 2 * visiblePairs * (headDim + valueDim),
    bytes:
      bytesPerElement(problem.dtype) * rows * (headDim + valueDim) +
      keyBytes * kvHeads * stored.count() +
      broadcastBytes(problem.mask) +
      broadcastBytes(problem.bias),
  };
}

/** Told that at least one query of a sequence sees the keys `from ≤ j < to`. */
type See = (from: number, to: number) => void;

/** The rows of key and value that are seen; a row of a page that sequences share counts once. */
class StoredKeys {
  readonly #paged: boolean;
  readonly #ranges = new Map<number, KeyRange[]>();
  #unshared = 0;

  constructor(paged: boolean) {
    this.#paged = paged;
  }

  add(sequence: Sequence, from: number, to: number): void {
    if (!this.#paged) {
      this.#unshared += to - from;
      return;
    }
    sequence.forEachRun(from, to, (_, page, start, rows) => {
      const ranges = this.#ranges.get(page);
      const range = { start, end: start + rows };
      if (ranges) ranges.push(range);
      else this.#ranges.set(page, [range]);
    });
  }

  count(): number {
    let rows = this.#unshared;
    for (const ranges of this.#ranges.values()) {
      let counted = 0;
      for (const { start, end } of ranges.sort((a, b) => a.start - b.start)) {
        rows += Math.max(0, end - Math.max(start, counted));
        counted = Math.max(counted, end);
      }
    }
    return rows;
  }
}

/** Pairs of one head of a sequence whose positions are its indices. */
function pairsByIndex(problem: AttentionProblem, sequence: Sequence, see: See): number {
  const band = visibleBand(problem);
  let pairs = 0;
  // The first key that no earlier query has seen: bands only move forward.
  let unseen = 0;
  for (let i = 0; i < sequence.queryLength; i++) {
    const { start, end } = visibleKeys(band, sequence.keyLength, i + sequence.offset);
    pairs += end - start;
    if (end > Math.max(start, unseen)) see(Math.max(start, unseen), end);
    unseen = Math.max(unseen, end);
  }
  return pairs;
}

/**
 * Pairs of all query heads of a batch entry in blocks that are not empty, as far as lengths and, unless positions are
 * data, the band leave them.
 */
function pairsOfBlocks(
  problem: AttentionProblem,
  sequence: Sequence,
  blocks: BlockMask,
  batch: number,
): number {
  const isData = sequence.queryPositions !== null || sequence.keyPositions !== null;
  const band = isData ? { left: Infinity, right: Infinity } : visibleBand(problem);
  const { queryBlock, keyBlock } = blocks;
  const { starts, first, end } = blocks.rows;
  const heads = blocks.shape[1];
  let pairs = 0;
  for (let h = 0; h < heads; h++) {
    for (let i = 0; i < sequence.queryLength; i++) {
      const seen = visibleKeys(band, sequence.keyLength, i + sequence.offset);
      const row = blocks.row(batch, h, Math.floor(i / queryBlock));
      for (let n = starts[row] as number; n < (starts[row + 1] as number); n++) {
        const from = Math.max(seen.start, (first[n] as number) * keyBlock);
        const to = Math.min(seen.end, (end[n] as number) * keyBlock);
        pairs += Math.max(0, to - from);
      }
    }
  }
  return heads === 1 ? pairs * problem.queryHeads : pairs;
}

/** Pairs of one head of a sequence with positions as data. */
function pairsByData(problem: AttentionProblem, sequence: Sequence, see: See): number {
  const { left, right } = visibleBand(problem);
  const keys = Array.from({ length: sequence.keyLength }, (_, j) => j).sort(
    (a, b) => sequence.keyPosition(a) - sequence.keyPosition(b),
  );
  const sorted = keys.map((j) => sequence.keyPosition(j));
  // How many queries begin to see the keys there, in order of position, less how many end to.
  const begins = new Int32Array(keys.length + 1);
  let pairs = 0;
  for (let i = 0; i < sequence.queryLength; i++) {
    const p = sequence.queryPosition(i);
    const from = firstAtLeast(sorted, p - left);
    const to = firstAtLeast(sorted, p + right + 1);
    pairs += to - from;
    begins[from] = (begins[from] as number) + 1;
    begins[to] = (begins[to] as number) - 1;
  }
  let seeing = 0;
  for (const [at, j] of keys.entries()) {
    seeing += begins[at] as number;
    if (seeing > 0) see(j, j + 1);
  }
  return pairs;
}

/** Index of the first number that is at least `least`; the length if there is none. */
function firstAtLeast(ascending: readonly number[], least: number): number {
  let from = 0;
  let to = ascending.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((ascending[middle] as number) < least) from = middle + 1;
    else to = middle;
  }
  return from;
}

function broadcastBytes(input: AttentionProblem["mask"] | AttentionProblem["bias"]): number {
  if (input === null) return 0;
  return bytesPerElement(input.dtype) * input.shape.reduce((count, size) => count * size, 1);
}
