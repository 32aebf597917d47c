import { type AttentionProblem, headsPerGroup } from "@heed/core";
import type { Capabilities } from "../capabilities.js";
import type { Storage } from "../wgsl/kernel.js";
import { sequencesOf, shortRows } from "./gathered.js";
import type { KernelName } from "./kernel-names.js";
import { type DecodeShape, decodeBytes, decodeRows, decodeThreads } from "./kernels/decode.js";
import { matrixStep, matrixThreads } from "./kernels/matrix-sizes.js";
import { type RegistersShape, registersThreads } from "./kernels/registers.js";
import { rowColumns, rowKeys } from "./kernels/row.js";
import { type SubgroupMatrixShape, subgroupMatrixBytes } from "./kernels/subgroup-matrix.js";
import { type TileShape, tileBytes } from "./kernels/tile.js";
import { hasMap, programsOf } from "./programs/kernel-programs.js";
import { mapKeys } from "./programs/map-keys.js";
import { type Storages, storages, takesLists } from "./storages.js";
import { type Lanes, tileKeys, tileRows, tileThreads } from "./wgsl/products.js";

interface ChoiceOf<K extends KernelName> extends Storages {
  readonly kernel: K;
  /** Query heads whose rows share workgroups: 1, or all of a group. */
  readonly stack: number;
  /** Query rows and value columns of a workgroup, or of an invocation where those have rows of their own. */
  readonly rows: number;
  readonly columns: number;
  /** Parts that the keys are split into, for more workgroups; merged by log-sum-exp. */
  readonly splits: number;
  /** Tiles of keys start at multiples of it: 1, or a tile's keys where rows are to be invariant. */
  readonly keyGrain: number;
  /** Stacked rows of an item of each list; see `gatheredLayout`. None where rows are numbered. */
  readonly listRows: readonly number[];
  /**
   * How sequences of few rows are computed in a ragged batch: by the decode kernel, so that those that
   * decode beside prefill need no tiles of their own. Null: as all others.
   */
  readonly short: Pick<DecodeShape, "columns" | "headDim"> | null;
}

/** How a problem's output is computed. */
export type Choice =
  | (ChoiceOf<"tile"> & { readonly tile: Pick<TileShape, "lanes" | "columns" | "subgroups"> })
  | ChoiceOf<"row">
  | (ChoiceOf<"decode"> & { readonly decode: Pick<DecodeShape, "columns" | "headDim"> })
  | (ChoiceOf<"subgroup-matrix"> & {
      readonly matrix: Pick<SubgroupMatrixShape, "matrices" | "rows" | "headDim" | "columns">;
    })
  | (ChoiceOf<"quad" | "stream"> & { readonly registers: Omit<RegistersShape, "output"> });

/**
 * Workgroups that keep a device busy. Nothing in WebGPU tells how many it runs at once: a large GPU has
 * some 150 multiprocessors, an imitated one as many as the machine has cores.
 */
const busyWorkgroups = (software: boolean): number => (software ? 4 : 256);

/** Fewer keys than this are not worth a workgroup and its part of the merge. */
const fewestSplitKeys = 128;

/** Wishes of the caller that are not the device's. */
export interface Preferences {
  /** A kernel to use wherever it can compute the problem. */
  readonly kernel?: KernelName | undefined;
  /** Whether a row's bits must not depend on what is computed beside it. */
  readonly batchInvariant?: boolean | undefined;
}

/** Chooses a kernel and its sizes. Pure: the same arguments give the same choice. */
export function choose(
  problem: AttentionProblem,
  capabilities: Capabilities,
  preferences: Preferences = {},
): Choice {
  const choice = chooseKernel(problem, capabilities, preferences);
  const programs = programsOf(problem);
  if (programs === null || !hasMap(programs)) return choice;
  // A tile of the map has whole tiles of the kernel.
  const grain = Math.max(mapKeys(choice), choice.short ? decodeThreads : 1, choice.keyGrain);
  return { ...choice, keyGrain: grain };
}

function chooseKernel(
  problem: AttentionProblem,
  capabilities: Capabilities,
  { kernel: forced, batchInvariant = false }: Preferences,
): Choice {
  if (takesLists(problem, capabilities)) {
    const preferences = { kernel: forced, batchInvariant };
    return chooseGathered(problem, capabilities, preferences);
  }
  if (batchInvariant) return chooseInvariant(problem, capabilities);
  const { queryLength } = problem;
  const group = headsPerGroup(problem);
  const stack = queryLength < tileRows ? group : 1;
  const suits = (kernel: KernelName, suited: boolean): boolean =>
    forced === undefined ? suited : forced === kernel;
  const registers =
    (forced === undefined || forced === "quad" || forced === "stream") &&
    fitsRegisters(problem, capabilities);
  if (registers && (forced !== undefined || suitsRegisters(problem, capabilities))) {
    const streams =
      forced === undefined ? group * queryLength <= mostStreamRows : forced === "stream";
    return streams
      ? chooseStream(problem, capabilities, group)
      : chooseQuad(problem, capabilities, stack);
  }
  if (suits("row", suitsRows(problem, stack, capabilities)))
    return chooseRow(problem, capabilities);
  const few = !capabilities.software && group * queryLength <= 2 * decodeRows;
  if (suits("decode", few) && fitsDecode(problem, capabilities)) {
    return chooseDecode(problem, capabilities, group);
  }
  return (
    (suits("subgroup-matrix", true) && chooseSubgroupMatrix(problem, capabilities, stack)) ||
    chooseTile(problem, capabilities, stack)
  );
}

/**
 * A choice that gives a row the same bits whatever other rows, heads and batches there are. Nothing
 * that changes the order of a row's sums may depend on them: neither the kernel nor the tiles, which
 * start at multiples of their size, and keys are not split. How many rows share an invocation or a
 * workgroup may depend on them.
 */
function chooseInvariant(problem: AttentionProblem, capabilities: Capabilities): Choice {
  const { queryLength } = problem;
  const group = headsPerGroup(problem);
  const stack = queryLength < tileRows ? group : 1;
  const choice =
    capabilities.software && fitsRegisters(problem, capabilities)
      ? chooseQuad(problem, capabilities, stack)
      : chooseTile(problem, capabilities, stack);
  return { ...choice, splits: 1, keyGrain: keysOfTile(choice) };
}

/**
 * A choice for keys in pages or of another type, ragged batches and positions that are data: rows of a
 * group are always stacked, query by query, and sequences are what batch entries are elsewhere.
 */
function chooseGathered(
  problem: AttentionProblem,
  capabilities: Capabilities,
  { kernel: forced, batchInvariant }: Preferences,
): Choice {
  const group = headsPerGroup(problem);
  const usual = sequencesOf(problem);
  const { batch, queryLength, keyLength } = usual;
  const { software } = capabilities;
  const rows = group * queryLength;
  const registers = fitsRegisters(usual, capabilities);
  const large = suitsRegisters(usual, capabilities);
  const queries = problem.batch * problem.queryLength;
  const suits = (kernel: KernelName, suited: boolean): boolean =>
    forced === undefined ? suited : forced === kernel;
  const choice = (): Choice => {
    // Nothing here may depend on the sizes of a batch.
    if (batchInvariant) {
      const quad = software && registers;
      return (quad ? chooseQuad : chooseTile)(usual, capabilities, group);
    }
    if (registers && suits("stream", large && rows <= mostStreamRows)) {
      return chooseStream(usual, capabilities, group);
    }
    if (registers && suits("quad", large)) return chooseQuad(usual, capabilities, group);
    // Tiles, of which there is one for each way of reading, take software adapters long to compile.
    const few = software ? !large : keyLength <= 16;
    if (suits("row", few && queries <= mostListedRows)) {
      return { ...chooseRow(usual, capabilities), stack: group, rows: group };
    }
    const decodes = !software && rows <= 2 * decodeRows;
    if (suits("decode", decodes) && fitsDecode(usual, capabilities)) {
      return chooseDecode(usual, capabilities, group);
    }
    return chooseTile(usual, capabilities, group);
  };
  const chosen = choice();
  const listRows = [chosen.rows];
  // Registers take keys from an even one on.
  const grain = "registers" in chosen ? chosen.registers.keys : 1;
  if (batchInvariant) return { ...chosen, listRows, splits: 1, keyGrain: keysOfTile(chosen) };
  const mixed = problem.ragged !== null && !software && forced === undefined;
  if (mixed && chosen.kernel !== "row" && group <= shortRows && fitsDecode(usual, capabilities)) {
    return chooseMixed(problem, capabilities, group);
  }
  return { ...chosen, listRows, keyGrain: grain, splits: batch === 0 ? 1 : chosen.splits };
}

/** Bytes that parts of the keys may take before they are merged, where long sequences have some as well. */
const mostPartsBytes = 2 ** 25;

/** Tiles for the long sequences of a ragged batch, and the decode kernel for the short ones. */
function chooseMixed(problem: AttentionProblem, capabilities: Capabilities, group: number): Choice {
  const usual = sequencesOf(problem);
  const tile = chooseTile(usual, capabilities, group);
  const decode = chooseDecode({ ...usual, queryLength: 1 }, capabilities, group);
  const rows = problem.queryHeads * problem.queryLength;
  // All rows have as many parts.
  const most = Math.max(1, Math.floor(mostPartsBytes / (4 * rows * problem.valueDim)));
  return {
    ...tile,
    splits: Math.min(most, Math.max(tile.splits, decode.splits)),
    listRows: [decode.rows, tile.rows],
    short: decode.decode,
  };
}

/** Queries up to which the row kernel, whose list has an item for each, is used. */
const mostListedRows = 4096;

/** Keys of a tile of a kernel that has tiles; keys that are worked on at once of others. */
export function keysOfTile(choice: Choice): number {
  switch (choice.kernel) {
    case "tile":
      return tileKeys(choice.tile.lanes);
    case "decode":
      return decodeThreads;
    case "subgroup-matrix":
      return matrixStep;
    case "row":
      return rowKeys;
    case "quad":
    case "stream":
      return choice.registers.keys;
  }
}

/** Sizes up to which rows are kept in private memory, and what their loops are unrolled in. */
const mostRegisterSize = 128;
const registerSizeStep = 16;

/** Rows that an invocation which has them all to itself keeps. */
const mostStreamRows = 8;

function fitsRegisters(problem: AttentionProblem, capabilities: Capabilities): boolean {
  const { storage, bias } = storages(problem, capabilities);
  const size = Math.max(problem.headDim, problem.valueDim);
  return size <= mostRegisterSize && storage === "f32" && bias === "f32";
}

/**
 * Unrolled kernels are fast on software adapters, but take a second or two to compile for each head
 * size: that has to pay.
 */
function suitsRegisters(problem: AttentionProblem, { software }: Capabilities): boolean {
  const { batch, queryHeads, queryLength, keyLength, headDim, valueDim } = problem;
  const work = 2 * batch * queryHeads * queryLength * keyLength * (headDim + valueDim);
  return software && work >= 3e7;
}

function chooseQuad(problem: AttentionProblem, capabilities: Capabilities, stack: number): Choice {
  const { batch, queryHeads, queryLength, keyLength, headDim, valueDim } = problem;
  const size = Math.max(headDim, valueDim);
  const most = size <= 64 ? 16 : 8;
  const rows =
    ([4, 8] as const).find((few) => few < most && stack * queryLength <= few * registersThreads) ??
    most;
  const tile = rows * registersThreads;
  const workgroups = batch * (queryHeads / stack) * Math.ceil((stack * queryLength) / tile);
  return {
    kernel: "quad",
    registers: {
      mode: capabilities.subgroups ? "quad" : "alone",
      rows,
      // Two keys at once fetch queries and outputs half as often; with four, temporaries leave the cache.
      keys: 2,
      ...registerSizes(problem),
    },
    ...commonly(problem, capabilities),
    stack,
    rows: tile,
    columns: valueDim,
    splits: splitsFor(workgroups, keyLength, capabilities),
  };
}

/** Every invocation is a part of the keys: parts come in fours. */
function chooseStream(
  problem: AttentionProblem,
  capabilities: Capabilities,
  group: number,
): Choice {
  const { batch, kvHeads, queryLength, keyLength, valueDim } = problem;
  const rows = group * queryLength <= 4 ? 4 : 8;
  const workgroups = batch * kvHeads * Math.ceil((group * queryLength) / rows);
  const quads = splitsFor(workgroups, keyLength / registersThreads, capabilities, 4);
  return {
    kernel: "stream",
    registers: { mode: "stream", rows, keys: 1, ...registerSizes(problem) },
    ...commonly(problem, capabilities),
    stack: group,
    rows,
    columns: valueDim,
    splits: quads * registersThreads,
  };
}

function registerSizes(
  problem: AttentionProblem,
): Pick<RegistersShape, "headDim" | "valueDim" | "whole"> {
  const up = (size: number): number => Math.ceil(size / registerSizeStep) * registerSizeStep;
  const [headDim, valueDim] = [up(problem.headDim), up(problem.valueDim)];
  return {
    headDim,
    valueDim,
    whole: headDim === problem.headDim && valueDim === problem.valueDim,
  };
}

/**
 * Whether tiles would be mostly empty. The row kernel reads every query, key and value from storage for
 * each use, which a GPU's threads do badly: there it is for a handful of keys.
 */
function suitsRows(problem: AttentionProblem, stack: number, { software }: Capabilities): boolean {
  const { queryLength, keyLength, headDim, valueDim } = problem;
  if (!software) return keyLength <= 16;
  const rows = stack * queryLength;
  const tiles = Math.ceil(rows / tileRows);
  const slices = Math.ceil(valueDim / rowColumns);
  // Loads are what costs on a software adapter; a tile has those of 64 rows, used or not.
  const rowLoads = rows * keyLength * (1.25 * slices * headDim + valueDim);
  const tileLoads =
    tiles * (Math.ceil(keyLength / 32) * 32 * (headDim * 26 + valueDim * 24) + 20_000);
  return rowLoads < tileLoads;
}

/** Queries of a group have to fit into workgroup memory. */
function fitsDecode(problem: AttentionProblem, capabilities: Capabilities): boolean {
  const headDim = decodeHeadDim(problem);
  const gathered = takesLists(problem, capabilities);
  const { limits } = capabilities;
  return decodeBytes({ headDim, gathered }) <= limits.maxComputeWorkgroupStorageSize;
}

function decodeHeadDim({ headDim }: AttentionProblem): number {
  return [64, 128].find((size) => size >= headDim) ?? Math.ceil(headDim / 64) * 64;
}

function chooseDecode(
  problem: AttentionProblem,
  capabilities: Capabilities,
  group: number,
): Extract<Choice, { readonly kernel: "decode" }> {
  const { batch, kvHeads, queryLength, keyLength, valueDim } = problem;
  const columns = ([64, 128] as const).find((size) => size >= valueDim) ?? 256;
  const workgroups =
    batch * kvHeads * Math.ceil((group * queryLength) / decodeRows) * Math.ceil(valueDim / columns);
  return {
    kernel: "decode",
    decode: { columns, headDim: decodeHeadDim(problem) },
    ...commonly(problem, capabilities),
    stack: group,
    rows: decodeRows,
    columns,
    splits: splitsFor(workgroups, keyLength, capabilities),
  };
}

function chooseRow(problem: AttentionProblem, capabilities: Capabilities): Choice {
  const { batch, queryHeads, queryLength, keyLength, valueDim } = problem;
  const invocations = batch * queryHeads * queryLength * Math.ceil(valueDim / rowColumns);
  return {
    kernel: "row",
    ...commonly(problem, capabilities),
    stack: 1,
    rows: 1,
    columns: rowColumns,
    splits: splitsFor(invocations / 64, keyLength, capabilities),
  };
}

function chooseTile(problem: AttentionProblem, capabilities: Capabilities, stack: number): Choice {
  const { batch, queryHeads, queryLength, keyLength, valueDim } = problem;
  const kinds = commonly(problem, capabilities);
  const lanes = lanesFor(problem, kinds.storage, capabilities);
  const columns = [32, 64].find((size) => size >= valueDim && size >= 4 * lanes) ?? 128;
  const workgroups =
    batch *
    (queryHeads / stack) *
    Math.ceil((stack * queryLength) / tileRows) *
    Math.ceil(valueDim / columns);
  return {
    kernel: "tile",
    // A software adapter's subgroups are too small to be worth asking for.
    tile: { lanes, columns, subgroups: capabilities.subgroups && !capabilities.software },
    ...kinds,
    stack,
    rows: tileRows,
    columns,
    splits: splitsFor(workgroups, keyLength, capabilities),
  };
}

/**
 * Null where the tile kernel has to do: without the feature and the caller's wish, for float32, and
 * where heads are too wide for workgroup memory, which has all of a query row and of a tile's keys.
 */
function chooseSubgroupMatrix(
  problem: AttentionProblem,
  capabilities: Capabilities,
  stack: number,
): Choice | null {
  const { matrices, limits } = capabilities;
  const kinds = commonly(problem, capabilities);
  if (matrices === null || kinds.storage !== "f16" || kinds.keys !== "f16") return null;
  if (limits.maxComputeInvocationsPerWorkgroup < matrixThreads) return null;
  const { batch, queryHeads, queryLength, keyLength, valueDim } = problem;
  const headDim = Math.ceil(problem.headDim / matrixStep) * matrixStep;
  const columns = ([32, 64] as const).find((size) => size >= valueDim) ?? 128;
  const allRows = stack * queryLength;
  const rows = (allRows > 32 ? ([64, 32] as const) : ([32] as const)).find(
    (size) =>
      subgroupMatrixBytes({ rows: size, headDim, columns }) <=
      limits.maxComputeWorkgroupStorageSize,
  );
  if (rows === undefined) return null;
  const workgroups =
    batch * (queryHeads / stack) * Math.ceil(allRows / rows) * Math.ceil(valueDim / columns);
  return {
    kernel: "subgroup-matrix",
    matrix: { matrices, rows, headDim, columns },
    ...kinds,
    stack,
    rows,
    columns,
    splits: splitsFor(workgroups, keyLength, capabilities),
  };
}

/**
 * Wide tiles have twice the keys and twice the threads, and half of the output in each: what wide heads
 * need to stay in registers. They take more than the 16 KB of workgroup memory that all devices have.
 */
function lanesFor(problem: AttentionProblem, storage: Storage, capabilities: Capabilities): Lanes {
  const { maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup } = capabilities.limits;
  const fits =
    tileBytes({ lanes: 16, storage }) <= maxComputeWorkgroupStorageSize &&
    tileThreads(16) <= maxComputeInvocationsPerWorkgroup;
  return fits && !capabilities.software && problem.valueDim > 64 ? 16 : 8;
}

/** @param patience how many times as many workgroups as keep the device busy are wanted */
function splitsFor(
  workgroups: number,
  keyLength: number,
  { software }: Capabilities,
  patience = 1,
): number {
  if (workgroups === 0) return 1;
  const wanted = Math.ceil((patience * busyWorkgroups(software)) / workgroups);
  return Math.max(1, Math.min(wanted, Math.floor(keyLength / fewestSplitKeys)));
}

/** Fields that all choices share, except those whose rows are listed. */
function commonly(
  problem: AttentionProblem,
  capabilities: Capabilities,
): Omit<ChoiceOf<KernelName>, "kernel" | "stack" | "rows" | "columns" | "splits"> {
  return { ...storages(problem, capabilities), keyGrain: 1, listRows: [], short: null };
}
