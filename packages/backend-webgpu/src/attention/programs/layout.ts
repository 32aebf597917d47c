import { type AttentionProblem, headsPerGroup } from "@heed/core";
import { dependence, dependencesOf } from "@heed/core/program";
import type { Choice } from "../choose.js";
import { gatheredLayout } from "../gathered.js";
import { decodeThreads } from "../kernels/decode.js";
import type { Params } from "../params.js";
import { tileRows } from "../wgsl/products.js";
import { hasMap, programsOf, programVectors } from "./kernel-programs.js";
import { mapKeys } from "./map-keys.js";

/** A map of tiles in the buffer of programs: two bits for each tile, as `blockKinds` of core. */
export interface MapLayout {
  /** First word. */
  readonly at: number;
  /** Query rows of a row of the map; in lists, those of an item. */
  readonly rows: number;
  /** Keys of a tile. */
  readonly keys: number;
  /** Tiles of a row, and its words. */
  readonly tiles: number;
  readonly words: number;
  /** 1 where all batch entries, or all heads of the grid, share rows. */
  readonly batches: number;
  readonly heads: number;
  /** Rows of a batch entry and head; items of a list. */
  readonly count: number;
}

/** The block mask's bits: a bit for each block that is not empty, rows at words. */
export interface BlocksLayout {
  readonly at: number;
  readonly words: number;
  readonly shape: readonly [number, number, number, number];
}

/** Places of a call's programs: vectors of its rules, and words of the buffer `programs`. */
export interface ProgramLayout {
  /** Index in `rules` of the first of the vectors. */
  readonly vector: number;
  readonly vectors: number;
  /** The map of kernels whose rows are numbered; of each list where there are lists. Empty without a map. */
  readonly maps: readonly MapLayout[];
  readonly blocks: BlocksLayout | null;
  /** Word behind map and blocks, where tables start. */
  readonly tables: number;
}

/** Words of all maps beyond which tiles are joined. */
const mostMapWords = 2 ** 19;

/**
 * @param vector index of the first vector behind a call's other rules
 * @returns null without programs
 */
export function programLayout(
  problem: AttentionProblem,
  choice: Choice,
  vector: number,
): ProgramLayout | null {
  const programs = programsOf(problem);
  if (programs === null) return null;
  let next = 0;
  const maps = hasMap(programs) ? mapsOf(problem, choice) : [];
  const placed = maps.map((map) => {
    const at = next;
    next += map.batches * map.heads * map.count * map.words;
    return { ...map, at };
  });
  let blocks: BlocksLayout | null = null;
  if (problem.blockMask) {
    const { shape } = problem.blockMask;
    const words = Math.ceil(shape[3] / 32);
    blocks = { at: next, words, shape };
    next += shape[0] * shape[1] * shape[2] * words;
  }
  return { vector, vectors: programVectors(programs), maps: placed, blocks, tables: next };
}

function mapsOf(problem: AttentionProblem, choice: Choice): MapLayout[] {
  const { heads, batches } = variation(problem);
  const gridHeads = choice.gathered
    ? problem.kvHeads
    : problem.queryHeads / Math.max(1, choice.stack);
  const shared = {
    batches: choice.gathered || !batches ? 1 : problem.batch,
    heads: heads ? gridHeads : 1,
  };
  const sizes = choice.gathered
    ? gatheredLayout(problem, choice)
        .lists.slice(0, choice.listRows.length)
        .map(({ rows, items }, i) => ({
          rows,
          count: items,
          keys: choice.short && i === 0 ? decodeThreads : mapKeys(choice),
        }))
    : [numberedRows(problem, choice)];
  let factor = 1;
  const made = (): MapLayout[] =>
    sizes.map(({ rows, count, keys }) => {
      const tiles = Math.ceil(problem.keyLength / (keys * factor));
      return {
        at: 0,
        rows,
        count,
        keys: keys * factor,
        tiles,
        words: Math.ceil(tiles / 16),
        ...shared,
      };
    });
  const total = (maps: readonly MapLayout[]): number =>
    maps.reduce((sum, map) => sum + map.batches * map.heads * map.count * map.words, 0);
  while (total(made()) > mostMapWords && made().some(({ words }) => words > 1)) factor *= 2;
  return made();
}

function numberedRows(problem: AttentionProblem, choice: Choice) {
  // Invocations of the row kernel have a row each; a map of rows would be larger than what it saves.
  const rows = choice.kernel === "row" ? tileRows : choice.rows;
  return {
    rows,
    count: Math.ceil((choice.stack * problem.queryLength) / rows),
    keys: mapKeys(choice),
  };
}

/** Whether the map differs from head to head, and from batch entry to batch entry. */
function variation(problem: AttentionProblem): {
  readonly heads: boolean;
  readonly batches: boolean;
} {
  const { maskMod, blockMask, positions, sequences } = problem;
  const bits = maskMod ? (dependencesOf(maskMod).at(-1) as number) : 0;
  const moved = positions !== "none" && positions !== "fixed";
  const ofPlaces = moved && (bits & (dependence.query | dependence.key)) !== 0;
  return {
    heads: (bits & dependence.head) !== 0 || (blockMask?.shape[1] ?? 1) > 1,
    batches:
      sequences > 1 &&
      ((bits & dependence.batch) !== 0 || ofPlaces || (blockMask?.shape[0] ?? 1) > 1),
  };
}

/** Query heads that share a head of the grid. */
export function headsOfGrid(problem: AttentionProblem, choice: Choice): number {
  return choice.gathered ? headsPerGroup(problem) : choice.stack;
}

/** The parameters of a dispatch. @param rows that its kernel takes at a time; undefined: it uses no map */
export function programParams(
  problem: AttentionProblem,
  choice: Choice,
  layout: ProgramLayout | null,
  rows?: number,
): Partial<Params> {
  if (layout === null) return {};
  const { blocks, maps, vector } = layout;
  const map = choice.gathered ? maps.find((one) => one.rows === rows) : maps[0];
  const { blockMask } = problem;
  const own = (count: number, stride: number): number => (count > 1 ? stride : 0);
  return {
    programs: vector,
    ...(map && {
      map: map.at,
      mapBatch: own(map.batches, map.heads * map.count * map.words),
      // Items have the rows of all heads one after another.
      mapHead: own(map.heads, choice.gathered ? map.words : map.count * map.words),
      mapRow: choice.gathered ? map.heads * map.words : map.words,
      mapRows: map.rows,
      mapKeys: map.keys,
    }),
    ...(blocks &&
      blockMask && {
        blocks: blocks.at,
        blocksBatch: own(blocks.shape[0], blocks.shape[1] * blocks.shape[2] * blocks.words),
        blocksHead: own(blocks.shape[1], blocks.shape[2] * blocks.words),
        blocksRow: blocks.words,
        blockQueries: blockMask.queryBlock,
        blockKeys: blockMask.keyBlock,
      }),
  };
}
