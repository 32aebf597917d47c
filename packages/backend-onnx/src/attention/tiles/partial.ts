import type { AttentionProblem, BoundAttention, HostTensor } from "@heed/core";
import { tensor, visibleBand } from "@heed/core";
import { type BoundProgram, TileProgram, variablesOf } from "@heed/core/program";
import { BlockRows, lanes } from "./block-rows.js";
import { elementOf, forEachVisit } from "./visited-keys.js";
import type { Visits } from "./visits.js";

/**
 * The mask of the keys that each sequence of {@link Visits} reads: true for blocks that are full, and for those that their
 * program hides in part its values; false where the call's mask, `causal` or its window hides a key. Programs are asked on each
 * call, since the elements of their tables may have changed.
 *
 * @returns `[sequences, 1, queryBlock, visited keys at most]`
 */
export function maskOfVisits(
  problem: AttentionProblem,
  bound: BoundAttention,
  visits: Visits,
): HostTensor<"bool"> {
  const { lengths, width, isAnyPartial } = visits;
  const { queryBlock, keyBlock } = problem.blockMask as NonNullable<AttentionProblem["blockMask"]>;
  const row = width * keyBlock;
  const seen = new Uint8Array(lengths.length * queryBlock * row).fill(1);
  if (isAnyPartial) writeProgram(seen, problem, bound, visits);
  const { causal, window } = problem;
  const { left, right } = visibleBand(problem);
  const mask = bound.mask as HostTensor | null;
  if (mask !== null || causal || window !== null) {
    forEachVisit(problem, visits, (block) => {
      const { at, step, query, key, batch } = block;
      for (let r = 0; r < queryBlock; r++) {
        const to = at + r * step;
        const distance = query + r + (bound.offsets[batch] as number) - key;
        const from = mask ? elementOf(mask, block, r) : 0;
        const stride = mask?.strides[3] as number;
        for (let j = 0; j < keyBlock; j++) {
          const isOutside = j < distance - left || j > distance + right;
          if (isOutside || mask?.data[from + j * stride] === 0) seen[to + j] = 0;
        }
      }
    });
  }
  return tensor(seen, [lengths.length, 1, queryBlock, row], { dtype: "bool" });
}

/** Writes the values of the mask program to the partial blocks of a mask. */
function writeProgram(
  mask: Uint8Array,
  { queryHeads, batch, blockMask }: AttentionProblem,
  { offsets, maskMod }: BoundAttention,
  { table, lengths, width, partial }: Visits,
): void {
  const program = maskMod as BoundProgram<"mask">;
  const { queryBlock, keyBlock } = blockMask as NonNullable<AttentionProblem["blockMask"]>;
  const rowBytes = width * keyBlock;
  const sequenceBytes = queryBlock * rowBytes;
  const tile = new TileProgram(program, { keys: keyBlock, rows: queryBlock, lanes });
  const used = variablesOf(program.form);
  const rows = new BlockRows(queryBlock);
  const blocksOfQueries = lengths.length / (batch * queryHeads);
  for (let b = 0; b < batch; b++) {
    tile.setBatch(b);
    const offset = offsets[b] as number;
    for (let h = 0; h < queryHeads; h++) {
      for (let q = 0; q < blocksOfQueries; q++) {
        const s = (b * queryHeads + h) * blocksOfQueries + q;
        const same = s - blocksOfQueries;
        if (h > 0 && !used.has("head") && areAlike(s, same)) {
          const from = same * sequenceBytes;
          mask.copyWithin(s * sequenceBytes, from, from + sequenceBytes);
          continue;
        }
        evaluate(s, q, h, offset);
      }
    }
  }

  /** Whether two sequences read the same blocks, of which the same are partial. */
  function areAlike(s: number, other: number): boolean {
    if (lengths[s] !== lengths[other]) return false;
    const count = (lengths[s] as number) / keyBlock;
    for (let n = 0; n < count; n++) {
      if (table[s * width + n] !== table[other * width + n]) return false;
      if (partial[s * width + n] !== partial[other * width + n]) return false;
    }
    return true;
  }

  function evaluate(s: number, q: number, head: number, offset: number): void {
    const count = (lengths[s] as number) / keyBlock;
    let hasRows = false;
    for (let n = 0; n < count; n++) {
      if (partial[s * width + n] === 0) continue;
      if (!hasRows) {
        hasRows = true;
        rows.give(tile, head, q * queryBlock, offset);
      }
      tile.setKeys((table[s * width + n] as number) * keyBlock, keyBlock);
      writeBlock(s * sequenceBytes + n * keyBlock);
    }
  }

  function writeBlock(at: number): void {
    for (let r = 0; r < queryBlock; r += lanes) {
      const visible = tile.visible(r);
      const end = Math.min(lanes, queryBlock - r);
      for (let lane = 0; lane < end; lane++) {
        const to = at + (r + lane) * rowBytes;
        for (let j = 0, v = lane; j < keyBlock; j = (j + 1) | 0, v = (v + lanes) | 0) {
          mask[(to + j) | 0] = visible[v] as number;
        }
      }
    }
  }
}
