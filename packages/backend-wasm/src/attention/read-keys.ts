import {
  type AttentionProblem,
  type BoundAttention,
  type KeyRange,
  Sequence,
  visibleBand,
} from "@heed/core";

/** Keys that a call reads of each sequence: ranges outside of which none of its rows sees any. */
export type ReadKeys = readonly KeyRange[];

/**
 * The keys of each sequence that kernels read, as far as lengths, the band and programs say.
 *
 * @param programs what is left by the mask program and the block mask; null without either
 */
export function readKeys(bound: BoundAttention, programs: ReadKeys | null): ReadKeys {
  const { problem } = bound;
  const band = visibleBand(problem);
  return Array.from(bound.kvLengths, (length, s) => {
    if (readsHidden(problem)) return { start: 0, end: length };
    const sequence = new Sequence(problem, bound, s);
    const rows = sequence.queryLength;
    if (rows === 0 || problem.queryHeads === 0) return { start: 0, end: 0 };
    const { first, last } = sequence.positionsOf(0, rows);
    const seen = sequence.keysInSight(band, first, last);
    return programs ? within(seen, programs[s] as KeyRange) : seen;
  });
}

/**
 * Whether kernels read keys outside of what rows see: scores are returned of hidden keys too, and keys at positions of
 * their own are looked at one by one.
 */
function readsHidden({ returns, keyPositions }: AttentionProblem): boolean {
  return returns.scores !== null || keyPositions !== null;
}

function within(a: KeyRange, b: KeyRange): KeyRange {
  const start = Math.max(a.start, b.start);
  return { start, end: Math.max(start, Math.min(a.end, b.end)) };
}

/** The range that holds all of a call's. */
export function unionOf(ranges: ReadKeys): KeyRange {
  let start = Number.POSITIVE_INFINITY;
  let end = 0;
  for (const range of ranges) {
    if (range.end <= range.start) continue;
    start = Math.min(start, range.start);
    end = Math.max(end, range.end);
  }
  return end === 0 ? { start: 0, end: 0 } : { start, end };
}
