import {
  type AttentionProblem,
  bytesPerElement,
  headsPerGroup,
  type PlanDescription,
  visibleBand,
  type WorkGrid,
  workGrid,
} from "@heed/core";
import { kernelName } from "../kernel-name.js";
import type { SimdBuild } from "../module.js";
import {
  descriptorBytes,
  fewRows,
  mostAtOnce,
  panelRows,
  rowStateBytes,
  unitBytes,
} from "../shared/attention.js";
import { noItem } from "../shared/control.js";
import type { TileVariant } from "../tiles/variants.js";
import { scaleFactors } from "./scale.js";

/**
 * `"tiled"`: blocks of query rows against tiles of keys, 8 rows being the lanes. `"few"`: at most four
 * rows a key head, as in decoding; keys and values are streamed.
 */
export type WasmKernel = "tiled" | "few";

/** Layout of a thread's workspace: byte offsets into it. */
export interface WorkLayout {
  readonly query: number;
  readonly scores: number;
  readonly output: number;
  readonly row: number;
  readonly key: number;
  readonly value: number;
  readonly rows: number;
  /** Registers of programs; they come last. */
  readonly program: number;
  /** Bytes from one key head of a unit to the next. */
  readonly head: number;
  /** Size of the workspace, without a tile that is spread. */
  readonly bytes: number;
  /** Bytes of keys and of values of a tile that is spread, after all else; null if there is no room for one. */
  readonly spread: { readonly keys: number; readonly values: number } | null;
}

/** Decisions about a problem, made before it runs. */
export interface WasmPlan {
  readonly kernel: WasmKernel;
  /** Whether the tiled kernel takes the way for short problems: all rows of a block see the same keys, in one tile. */
  readonly short: boolean;
  /** Whether that way computes a row by itself that would be alone in a panel. */
  readonly loneRow: boolean;
  /** Whether keys and values are more than caches hold. */
  readonly fromMemory: boolean;
  /** Blocks of query rows: the query heads of a key head stacked, query by query. */
  readonly grid: WorkGrid;
  /** Multiply-adds, if every query sees every key. */
  readonly multiplyAdds: number;
  /** Bytes of the programs of the problem, which {@link withPrograms} adds; 0 without any. */
  readonly blockBytes: number;
  /** Keys of a tile for panels. */
  readonly tileKeys: number;
  /** Keys of a tile for few rows. */
  readonly fewTileKeys: number;
  /** Key heads that the kernel for few rows computes at once: more than 1 in pages. */
  readonly unitKeyHeads: number;
  /** Number of parts into which the keys of a block are split. */
  readonly splits: number;
  /** Keys of a part, if all keys exist. */
  readonly splitKeys: number;
  /** Keys that a part has at least. */
  readonly leastSplitKeys: number;
  /** Items of work that threads take: batch × key heads × blocks × splits; in a ragged batch, the most of them. */
  readonly items: number;
  /** Whether the kernel for few rows computes sequences of a ragged batch that have few. */
  readonly fewUnits: boolean;
  /** Threads that take part. */
  readonly threads: number;
  /** Workspace of one thread. */
  readonly work: WorkLayout;
  /** Rows of a unit's partial results. */
  readonly partialRows: number;
  /** Bytes of partial results, 0 where keys are not split. */
  readonly partialBytes: number;
}

/** Limits for sharing a problem among threads. */
export interface SharingLimits {
  /** Multiply-adds below which a problem stays on one thread. */
  readonly sharedWork: number;
  /** Keys that a part has at least. */
  readonly leastSplitKeys: number;
}

/** Everything that a plan depends on beside the problem. */
export interface PlanLimits extends SharingLimits {
  readonly threads: number;
  /**
   * Whether a row's result must not depend on the other rows of the call, nor on threads: one kernel for any
   * number of rows, and no parts of keys.
   */
  readonly batchInvariant: boolean;
  /** Number of elements of a tile's keys, or values, that the build works best with. */
  readonly tileElements: number;
}

/**
 * Below some 0.1 ms, waking a thread costs more than it brings; and each part of the keys also packs
 * the queries, and is merged.
 */
export const defaultLimits: SharingLimits = { sharedWork: 2e6, leastSplitKeys: 256 };

/**
 * Most rows of a block, from the largest: a tile is converted or spread once for each block. Threads share blocks, so
 * that many blocks are worth more to them.
 */
const blockRows = [512, 256, 128] as const;
/** Blocks for each thread that smaller ones would not share more evenly. */
const blocksPerThread = 16;
/** Least and most keys of a tile, and their step, a multiple of the 6 or 5 keys that kernels take at once. */
const leastTileKeys = 60;
const mostTileKeys = 480;
const tileStep = 30;
/**
 * Keys of a tile for few rows, by how they are stored. A tile is brought into the cache while the one before it is
 * multiplied, in eight shares side by side, which have two pages of memory each at 64 elements: shorter ones share the
 * prefetching of a page. Keys in pages or hidden by programs come in shorter tiles, as do those that are copied and
 * float32 for a single row.
 */
const fewTileKeys = { float32: 256, float16: 512, int8: 1024 } as const;
const shortFewTileKeys = 128;
/** Bytes of keys and values from which on the reading of a tile beforehand pays for a single row. */
const mostCached = 16 * 1_048_576;

/** Items for each thread: enough to even out the time that each of them takes. */
const itemsPerThread = 4;

/** Pure: the same problem and limits give the same plan everywhere. */
export function planProblem(problem: AttentionProblem, limits: PlanLimits): WasmPlan {
  const { queryLength, keyLength, headDim, valueDim, ragged, sequences, pages } = problem;
  const total = headsPerGroup(problem) * queryLength;
  const matrices = problem.returns.weights || problem.returns.scores !== null;
  const { batchInvariant } = limits;
  const streams = !matrices && !batchInvariant;
  const few = total <= fewRows && streams && !ragged;
  const kernel: WasmKernel = few ? "few" : "tiled";
  const panel = kernel === "few" ? fewRows : panelRows;
  const keys = ragged?.keys ? keyLength / Math.max(1, sequences) : keyLength;
  const allHeads = problem.batch * problem.kvHeads;
  const multiplyAdds = allHeads * total * keys * (headDim + valueDim);
  const threads = multiplyAdds < limits.sharedWork ? 1 : limits.threads;
  // Blocks of about the same length, none longer than the longest.
  const most = mostBlockRows(allHeads, total, threads);
  const even = few ? fewRows : Math.ceil(total / Math.max(1, Math.ceil(total / most)));
  const grid = workGrid(problem, roundUp(Math.max(1, even), panel));
  // In a ragged batch, at least so many if no sequence is empty.
  const heads = ragged ? grid.kvHeads * Math.min(sequences, queryLength) : grid.items;
  const whole = matrices || batchInvariant;
  const { leastSplitKeys } = limits;
  const mostSplits = Math.max(1, Math.floor(keyLength / leastSplitKeys));
  // Registers of programs are those of one key head.
  const unitKeyHeads =
    pages !== null && !hasPrograms(problem) && streams && (few || ragged) && total > 0
      ? headsAtOnce(
          grid.kvHeads,
          threads === 1 ? 1 : (itemsPerThread * threads * grid.kvHeads) / (heads * mostSplits),
        )
      : 1;
  const units = heads / unitKeyHeads;
  const splits = whole ? 1 : splitsOf(units, keyLength, threads, leastSplitKeys);
  const splitKeys = splits === 1 ? keyLength : partOf(keyLength, splits, leastSplitKeys);
  const items = (few ? grid.items / unitKeyHeads : grid.items) * splits;
  const partialRows = Math.max(grid.rows, unitKeyHeads * fewRows);
  const longest = tileKeys(Math.max(headDim, valueDim), limits.tileElements);
  const tile = tileOfMask(problem, longest);
  const fewTile = tileOfFew(problem, total);
  const longestTile = few ? fewTile : ragged ? Math.max(tile, fewTile) : tile;
  return {
    kernel,
    short: !few && splits === 1 && isShort(problem, tile),
    loneRow: !batchInvariant && hasLoneRows(problem),
    fromMemory: 4 * allHeads * keyLength * (headDim + valueDim) >= mostCached,
    grid,
    multiplyAdds,
    tileKeys: few ? fewTile : tile,
    fewTileKeys: fewTile,
    unitKeyHeads,
    splits,
    splitKeys,
    leastSplitKeys,
    items,
    fewUnits: ragged !== null && streams,
    // The word from which threads take items has room for so many.
    threads: items < noItem ? Math.min(threads, Math.max(1, items)) : 1,
    work: layOut(problem, kernel, grid.rows, longestTile, unitKeyHeads),
    blockBytes: 0,
    partialRows,
    partialBytes: splits === 1 ? 0 : items * partialRows * (valueDim + 2) * 4,
  };
}

function tileOfFew(problem: AttentionProblem, rows: number): number {
  const { kvDtype, headDim, valueDim, pages } = problem;
  if (pages !== null || hasPrograms(problem)) return shortFewTileKeys;
  if (kvDtype === "float16" || kvDtype === "int8") {
    return headDim % 8 === 0 && valueDim % 8 === 0 ? fewTileKeys[kvDtype] : shortFewTileKeys;
  }
  return rows > 1 ? fewTileKeys.float32 : shortFewTileKeys;
}

/**
 * Whether every row sees the same keys, which fit in one tile and are read where they lie, and only a bias changes
 * scores.
 */
function isShort(problem: AttentionProblem, tile: number): boolean {
  const { dtype, kvDtype, keyLength, returns, alibi, mask, pages, ragged } = problem;
  const { left, right } = visibleBand(problem);
  const { stepwise, cap } = scaleFactors(problem);
  return (
    keyLength <= tile &&
    headsPerGroup(problem) === 1 &&
    dtype === "float32" &&
    kvDtype === "float32" &&
    problem.positions !== "data" &&
    left === Number.POSITIVE_INFINITY &&
    right === Number.POSITIVE_INFINITY &&
    cap === 0 &&
    mask === null &&
    pages === null &&
    ragged === null &&
    !alibi &&
    !returns.weights &&
    returns.scores === null &&
    !hasPrograms(problem) &&
    stepwise === (problem.bias !== null)
  );
}

/** Whether a row's keys, values and bias can be lanes where they lie. */
function hasLoneRows({ headDim, valueDim, bias }: AttentionProblem): boolean {
  return headDim % 4 === 0 && valueDim % 4 === 0 && bias?.dtype !== "float16";
}

/** Most rows of a block. */
function mostBlockRows(heads: number, rows: number, threads: number): number {
  const [most, ...smaller] = blockRows;
  if (threads === 1) return most;
  const enough = (length: number) => heads * Math.ceil(rows / length) >= blocksPerThread * threads;
  return [most, ...smaller].find(enough) ?? blockRows[blockRows.length - 1];
}

/** A plan with room for programs. */
export function withPrograms(
  plan: WasmPlan,
  { blockBytes, registerBytes }: { readonly blockBytes: number; readonly registerBytes: number },
): WasmPlan {
  const { work } = plan;
  const bytes = work.program + roundUp(registerBytes, 64);
  return { ...plan, blockBytes, work: { ...work, bytes } };
}

/** Whether a problem has programs, or a block mask, which is one for the kernels. */
export function hasPrograms({ maskMod, scoreMod, blockMask }: AttentionProblem): boolean {
  return maskMod !== null || scoreMod !== null || blockMask !== null;
}

/** Most key heads of a unit. */
const mostKeyHeads = 8;

/**
 * Key heads of a unit for few rows in pages: a divisor of all, up to the most.
 *
 * @param parts into which the heads have to be divided at least, so that threads get enough units
 */
function headsAtOnce(kvHeads: number, parts: number): number {
  let most = Math.max(1, Math.min(mostKeyHeads, Math.floor(kvHeads / parts)));
  while (kvHeads % most !== 0) most--;
  return most;
}

/** Keys of each part, of which some may be empty: whole panels, and not fewer than the least. */
export function partOf(keys: number, splits: number, least: number): number {
  return roundUp(Math.max(Math.ceil(keys / splits), least), panelRows);
}

/** Keys of a tile for panels: so many that it has about the number of elements given. */
function tileKeys(size: number, elements: number): number {
  const keys = tileStep * Math.round(elements / size / tileStep);
  return Math.max(leastTileKeys, Math.min(mostTileKeys, keys));
}

/** Most keys of a tile for a mask program: what it hides is skipped in whole tiles. */
const mostMaskedKeys = 128;

/** Keys of a tile where a program or a block mask hides some: with a block mask, blocks or an even part of one. */
function tileOfMask({ maskMod, blockMask }: AttentionProblem, longest: number): number {
  if (blockMask === null) return maskMod === null ? longest : Math.min(longest, mostMaskedKeys);
  const { keyBlock } = blockMask;
  if (keyBlock > longest) return roundUp(keyBlock / Math.ceil(keyBlock / longest), 2);
  return keyBlock * Math.max(1, Math.floor(Math.min(longest, mostMaskedKeys) / keyBlock));
}

/** Number of parts of the keys: as few as give every thread enough items, with a least length of each. */
function splitsOf(units: number, keyLength: number, threads: number, leastKeys: number): number {
  if (threads === 1 || units === 0) return 1;
  const wanted = Math.ceil((itemsPerThread * threads) / units);
  return Math.max(1, Math.min(wanted, Math.floor(keyLength / leastKeys)));
}

function layOut(
  { headDim, valueDim, kvDtype, pages }: AttentionProblem,
  kernel: WasmKernel,
  blockRows: number,
  tile: number,
  heads: number,
): WorkLayout {
  const headBytes = 4 * roundUp(headDim, 4);
  const valueBytes = 4 * roundUp(valueDim, 4);
  const few = kernel === "few";
  const panel = few ? fewRows : panelRows;
  const copies = (size: number): boolean =>
    kvDtype !== "float32" || pages !== null || size % 4 !== 0;
  let bytes = 0;
  const next = (size: number): number => {
    const at = bytes;
    bytes += roundUp(size, 64);
    return at;
  };
  // If keys of few rows are converted in registers, the workspace holds queries twice, then four factors.
  const queryRows = Math.max(blockRows, kvDtype === "float32" ? 0 : 2 * fewRows);
  const query = next(queryRows * headBytes + 16);
  // In a tile that is spread, keys before those that a panel sees may get scores, too.
  next((mostAtOnce - 1) * panel * 4);
  // After the weights come the factors that outputs are rescaled with.
  const scores = next((tile + 1) * panel * 4);
  const output = next(blockRows * valueBytes);
  // Sums of a tile and a sink beside them for few rows, and rows on their way in and out for panels.
  const row = next(panelRows * Math.max(headBytes, valueBytes));
  const rows = next(roundUp(blockRows, panelRows) * rowStateBytes);
  const head = bytes;
  // The heads of a unit have all of the above, one after another. Copies belong to none.
  bytes *= heads;
  const key = next(copies(headDim) ? tile * headBytes : 0);
  const value = next(copies(valueDim) ? tile * valueBytes : 0);
  bytes += (heads - 1) * head;
  const spread = few ? null : spreadBytes(headDim, valueDim, tile);
  return { query, scores, output, row, key, value, rows, program: bytes, head, bytes, spread };
}

/** Most bytes of a tile that is spread: it has to stay in a second-level cache, at least of large cores. */
const mostSpreadBytes = 1_048_576;

/** Every element fills four lanes; the last group of keys, or of columns, repeats some of the one before it. */
function spreadBytes(headDim: number, valueDim: number, tile: number): WorkLayout["spread"] {
  const keys = roundUp(16 * (tile + mostAtOnce - 1) * headDim, 64);
  const values = roundUp(16 * (valueDim + mostAtOnce - 1) * tile, 64);
  return keys + values <= mostSpreadBytes ? { keys, values } : null;
}

/** Size of a thread's workspace. */
export function threadBytes({ work }: WasmPlan, variant: TileVariant): number {
  const { bytes, spread } = work;
  return variant === "splat" || spread === null ? bytes : bytes + spread.keys + spread.values;
}

/** Bytes of wasm memory that a run takes beside inputs and outputs. */
export function workspaceBytes(
  problem: AttentionProblem,
  plan: WasmPlan,
  variant: TileVariant,
): number {
  const perHead = 4 * problem.queryHeads * (Number(problem.alibi) + Number(problem.sinks));
  const numbers = integersOf(problem, plan) * 4 + perHead;
  const { threads, partialBytes, blockBytes } = plan;
  return (
    threads * threadBytes(plan, variant) + partialBytes + numbers + blockBytes + descriptorBytes
  );
}

/** Number of integers that a run takes: lengths and offsets of sequences, and its tables. */
function integersOf(p: AttentionProblem, plan: WasmPlan): number {
  const { sequences, pages, ragged } = p;
  const units = ragged ? (unitBytes / 4) * (plan.items / plan.splits) : 0;
  const starts = ragged ? (sequences + 1) * (ragged.keys ? 2 : 1) : 0;
  const positions = (p.queryPositions ?? 0) * p.queryLength + (p.keyPositions ?? 0) * p.keyLength;
  return 2 * sequences + (pages ? sequences * pages.perSequence : 0) + starts + positions + units;
}

/** Bytes of wasm memory that a run of host tensors takes in all. */
export function totalBytes(
  problem: AttentionProblem,
  plan: WasmPlan,
  variant: TileVariant,
): number {
  const p = problem;
  const element = bytesPerElement(p.dtype);
  const rows = p.batch * p.queryHeads * p.queryLength;
  const { pages } = p;
  // Pages in host memory are copied only if a sequence has them.
  const keys = pages
    ? Math.min(pages.count, p.sequences * pages.perSequence) * p.kvHeads * pages.size
    : p.batch * p.kvHeads * p.keyLength;
  const stored = (p.headDim + p.valueDim) * bytesPerElement(p.kvDtype);
  const scales = p.kvDtype === "int8" ? 8 : 0;
  const matrices = Number(p.returns.weights) + Number(p.returns.scores !== null);
  const broadcast = (
    b: { dtype: "bool" | "float64" | "float32" | "float16"; shape: readonly number[] } | null,
  ) => (b ? bytesPerElement(b.dtype) * b.shape.reduce((x, y) => x * y, 1) : 0);
  return (
    element * rows * (p.headDim + p.valueDim) +
    keys * (stored + scales) +
    element * matrices * rows * p.keyLength +
    (p.returns.logSumExp ? 4 * rows : 0) +
    (p.blockMask?.shape.reduce((x, y) => x * y, 1) ?? 0) +
    broadcast(p.mask) +
    broadcast(p.bias) +
    workspaceBytes(p, plan, variant)
  );
}

/** @param build of the kernels, for their names; null where it is unknown */
export function describePlan(
  problem: AttentionProblem,
  plan: WasmPlan,
  build: SimdBuild | null,
  variant: TileVariant,
): PlanDescription {
  const { kernel, grid, tileKeys, splits } = plan;
  const { dtype, kvDtype } = problem;
  const tile = [grid.rows, tileKeys];
  const stored = kvDtype === dtype ? undefined : kvDtype;
  return {
    kernel: kernelName({ operation: "attention", kernel, dtype, stored, tile, build }),
    tiles: { queries: grid.rows, keys: tileKeys },
    ...(splits > 1 && { splits }),
    workspaceBytes: workspaceBytes(problem, plan, variant),
    dispatches: 1,
  };
}

function roundUp(n: number, step: number): number {
  return Math.ceil(n / step) * step;
}
