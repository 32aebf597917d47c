import { type AttentionProblem, type BoundAttention, type HostTensor, tensor } from "@heed/core";
import {
  type BoundProgram,
  dependence,
  dependencesOf,
  doubles,
  type ProgramForm,
  panelLength,
  TileProgram,
} from "@heed/core/program";
import { BlockRows, lanes } from "./block-rows.js";
import { elementOf, forEachVisit, type VisitedBlock } from "./visited-keys.js";
import type { Visits } from "./visits.js";

/** Whether a score program adds to the score a number that does not depend on it. */
export function addsToScore(form: ProgramForm<"score">): boolean {
  const { nodes } = form;
  const last = nodes[nodes.length - 1];
  if (last?.op !== "add") return false;
  const bits = dependencesOf(form);
  const [score, ...others] = last.args.filter((n) => (bits[n] as number) & dependence.score);
  if (score === undefined || others.length > 0) return false;
  const node = nodes[score];
  return node?.op === "variable" && node.name === "score";
}

/**
 * The sum of bias, ALiBi and a score program that {@link addsToScore}, for the keys that each sequence visits.
 *
 * @returns float32 `[sequences, 1, queryBlock, visited keys at most]`; null where the program's numbers are not all finite, since
 *   scores of −∞ are no hidden ones
 */
export function addedToVisits(
  problem: AttentionProblem,
  bound: BoundAttention,
  visits: Visits,
): HostTensor<"float32"> | null {
  const { queryBlock, keyBlock } = problem.blockMask as NonNullable<AttentionProblem["blockMask"]>;
  const row = visits.width * keyBlock;
  const sums = new Float32Array(visits.lengths.length * queryBlock * row);
  const bias = bound.bias as HostTensor | null;
  if (bias) forEachVisit(problem, visits, (block) => addBias(sums, bias, block, problem));
  if (bound.alibiSlopes) addAlibi(sums, problem, bound, visits);
  if (bound.scoreMod && !addProgram(sums, problem, bound, bound.scoreMod, visits)) return null;
  return tensor(sums, [visits.lengths.length, 1, queryBlock, row]);
}

function addBias(
  sums: Float32Array,
  bias: HostTensor,
  block: VisitedBlock,
  { blockMask }: AttentionProblem,
): void {
  const { queryBlock, keyBlock } = blockMask as NonNullable<AttentionProblem["blockMask"]>;
  const data = bias.data as Float32Array;
  const stride = bias.strides[3] as number;
  for (let r = 0; r < queryBlock; r++) {
    const to = block.at + r * block.step;
    const from = elementOf(bias, block, r);
    for (let j = 0; j < keyBlock; j = (j + 1) | 0) {
      sums[(to + j) | 0] = data[from + j * stride] as number;
    }
  }
}

function addAlibi(
  sums: Float32Array,
  problem: AttentionProblem,
  { alibiSlopes, offsets }: BoundAttention,
  visits: Visits,
): void {
  const { queryBlock, keyBlock } = problem.blockMask as NonNullable<AttentionProblem["blockMask"]>;
  forEachVisit(problem, visits, ({ batch, head, query, key, at, step }) => {
    const slope = alibiSlopes?.[head] as number;
    for (let r = 0; r < queryBlock; r++) {
      const to = at + r * step;
      const distance = query + r + (offsets[batch] as number) - key;
      for (let j = 0; j < keyBlock; j++) {
        (sums[to + j] as number) -= slope * Math.abs(distance - j);
      }
    }
  });
}

/** @returns whether all that is added is finite */
function addProgram(
  sums: Float32Array,
  problem: AttentionProblem,
  { offsets }: BoundAttention,
  program: BoundProgram<"score">,
  visits: Visits,
): boolean {
  const { queryBlock, keyBlock } = problem.blockMask as NonNullable<AttentionProblem["blockMask"]>;
  const sizes = { keys: keyBlock, rows: queryBlock, lanes, ascending: queryBlock } as const;
  const tile = new TileProgram(program, sizes);
  const rows = new BlockRows(queryBlock);
  const panel = doubles(panelLength(keyBlock, lanes));
  let latest: VisitedBlock | null = null;
  let areFinite = true;
  forEachVisit(problem, visits, (block) => {
    const { batch, head, query, key, at, step } = block;
    if (batch !== latest?.batch) tile.setBatch(batch);
    if (batch !== latest?.batch || head !== latest.head || query !== latest.query) {
      rows.give(tile, head, query, offsets[batch] as number);
    }
    latest = block;
    tile.setKeys(key, keyBlock);
    for (let r = 0; r < queryBlock; r += lanes) {
      panel.fill(0);
      tile.changeScores(r, panel, 0);
      const end = Math.min(lanes, queryBlock - r);
      for (let lane = 0; lane < end; lane++) {
        const to = at + (r + lane) * step;
        for (let j = 0, s = lane; j < keyBlock; j = (j + 1) | 0, s = (s + lanes) | 0) {
          const added = panel[s] as number;
          if (!Number.isFinite(added)) areFinite = false;
          (sums[(to + j) | 0] as number) += added;
        }
      }
    }
  });
  return areFinite;
}
