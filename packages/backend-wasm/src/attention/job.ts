import {
  type AttentionOutputs,
  type AttentionProblem,
  attention,
  type BoundAttention,
  type OperandSpec,
  outputsOf,
  visibleBand,
} from "@heed/core";
import { alignment } from "../memory/allocator.js";
import type { Arena } from "../memory/arena.js";
import type { WasmMemory } from "../memory/memory.js";
import type { PlacedTensor } from "../memory/placement.js";
import type { PlannedPrograms } from "../program/planned.js";
import * as D from "../shared/attention.js";
import { type TileVariant, variantNumbers } from "../tiles/variants.js";
import { longestOf, placeKeys } from "./place-keys.js";
import { partOf, threadBytes, type WasmPlan } from "./plan.js";
import { scaleFactors } from "./scale.js";
import { unitsOf, unitWords } from "./units.js";

/** Everything about a problem's calls that is the same in all of them, made once. */
export interface JobTemplate {
  readonly plan: WasmPlan;
  /** The descriptor, whose addresses and strides are 0. */
  readonly words: Int32Array;
  readonly outputs: readonly JobOutput[];
  /** Byte offsets into a call's memory, which begins with the descriptor and ends with the workspaces. */
  readonly offsets: number;
  readonly lengths: number;
  readonly alibiSlopes: number;
  readonly sinks: number;
  readonly partial: number;
  readonly program: number;
  /** Null for problems that have none. */
  readonly programs: PlannedPrograms | null;
  /** Null for problems that have none. */
  readonly tables: TableOffsets | null;
  readonly workspace: number;
}

/** An output, and the byte of the descriptor that has its address. */
interface JobOutput {
  readonly spec: OperandSpec;
  readonly pointer: number;
}

/** Byte offsets of tables into a call's memory. */
interface TableOffsets {
  readonly pageTable: number;
  readonly queryStarts: number;
  readonly keyStarts: number;
  readonly queryPositions: number;
  readonly keyPositions: number;
  readonly units: number;
}

/** Pure: the same problem and plan give the same template. */
export function jobTemplate(
  problem: AttentionProblem,
  plan: WasmPlan,
  programs: PlannedPrograms | null = null,
): JobTemplate {
  const bytes = new ArrayBuffer(D.descriptorBytes);
  writeProblem(new DataView(bytes), problem, plan);
  const outputs = outputsOf(attention.operands(problem)).map((spec) => ({
    spec,
    pointer: outputPointers[spec.name as keyof typeof outputPointers],
  }));
  let end = 0;
  const next = (size: number): number => {
    const at = end;
    end += Math.ceil(size / alignment) * alignment;
    return at;
  };
  next(D.descriptorBytes);
  const { sequences, pages, ragged } = problem;
  return {
    plan,
    words: new Int32Array(bytes),
    outputs,
    offsets: next(4 * sequences),
    lengths: next(4 * sequences),
    alibiSlopes: next(problem.alibi ? 4 * problem.queryHeads : 0),
    sinks: next(problem.sinks ? 4 * problem.queryHeads : 0),
    partial: next(plan.partialBytes),
    program: next(plan.blockBytes),
    programs,
    tables: pages || ragged || problem.positions === "data" ? tablesOf(problem, plan, next) : null,
    workspace: end,
  };
}

function tablesOf(
  problem: AttentionProblem,
  plan: WasmPlan,
  next: (size: number) => number,
): TableOffsets {
  const { sequences, pages, ragged, queryLength, keyLength } = problem;
  return {
    pageTable: next(pages ? 4 * sequences * pages.perSequence : 0),
    queryStarts: next(ragged ? 4 * (sequences + 1) : 0),
    keyStarts: next(ragged?.keys ? 4 * (sequences + 1) : 0),
    queryPositions: next(4 * (problem.queryPositions ?? 0) * queryLength),
    keyPositions: next(4 * (problem.keyPositions ?? 0) * keyLength),
    units: next(ragged ? D.unitBytes * (plan.items / plan.splits) : 0),
  };
}

/** A call in wasm memory: inputs, outputs, workspace and descriptor. The arena that it lies in has to be released. */
export class Job {
  readonly descriptor: number;
  readonly workspace: number;
  /** Size of each thread's workspace. */
  readonly workspaceBytes: number;
  /** Items of work: those of the plan, or, in a ragged batch, those of the call. */
  readonly items: number;

  /**
   * @param threads that will compute it, each of which gets a workspace
   * @param variant how panels read tiles
   * @throws WasmOutOfMemoryError, InvalidInputError for a device tensor of another backend, DisposedError
   *   for one that was disposed
   */
  constructor(
    memory: WasmMemory,
    arena: Arena,
    template: JobTemplate,
    bound: BoundAttention,
    threads: number,
    variant: TileVariant,
  ) {
    const { mask, bias, alibiSlopes, sinks } = bound;
    const { plan, tables, outputs } = template;
    const units = bound.queryStarts ? unitsOf(bound, plan, threads) : null;
    const runs = template.programs?.runsOf(bound, units) ?? null;
    const query = arena.place("query", bound.query);
    const keys = placeKeys(arena, bound, runs?.seen ?? null);
    const keyRows = keys.keyRows === bound.keyStarts ? 0 : arena.placeNumbers(keys.keyRows);
    const placedMask = mask && arena.placeBroadcast("mask", mask);
    const placedBias = bias && arena.placeBroadcast("bias", bias);
    for (let i = 0; i < outputs.length; i++) arena.allocateOutput((outputs[i] as JobOutput).spec);
    const programs = template.programs?.place(arena, bound, runs);
    this.workspaceBytes = threadBytes(plan, variant);
    const start = arena.allocate(template.workspace + threads * this.workspaceBytes);
    this.descriptor = start;
    this.workspace = start + template.workspace;
    const first = start / 4;
    // No memory is allocated from here on, so that views of it stay valid.
    const { words, floats } = memory;
    words.set(template.words, first);
    for (let i = 0; i < outputs.length; i++) {
      words[first + (outputs[i] as JobOutput).pointer / 4] = arena.outputAddress(i);
    }
    writeTensor(words, first + D.queryPointer / 4, query, 3);
    writeTensor(words, first + D.keyPointer / 4, keys.key, 3);
    writeTensor(words, first + D.valuePointer / 4, keys.value, 3);
    if (keys.keyScales) writeScales(words, first + D.keyScalesPointer / 4, keys.keyScales);
    if (keys.valueScales) writeScales(words, first + D.valueScalesPointer / 4, keys.valueScales);
    if (placedMask) writeTensor(words, first + D.maskPointer / 4, placedMask, 4);
    if (placedBias) writeTensor(words, first + D.biasPointer / 4, placedBias, 4);
    const { bytes, spread } = plan.work;
    if (spread && variant !== "splat") {
      words[first + D.tileVariant / 4] = variantNumbers[variant];
      words[first + D.workSpreadKey / 4] = bytes;
      words[first + D.workSpreadValue / 4] = bytes + spread.keys;
    }
    writeTable(words, first + D.offsetsPointer / 4, bound.offsets, start + template.offsets);
    writeTable(words, first + D.lengthsPointer / 4, bound.kvLengths, start + template.lengths);
    if (alibiSlopes) {
      floats.set(alibiSlopes, (start + template.alibiSlopes) / 4);
      words[first + D.alibiPointer / 4] = start + template.alibiSlopes;
    }
    if (sinks) {
      floats.set(sinks, (start + template.sinks) / 4);
      words[first + D.sinksPointer / 4] = start + template.sinks;
    }
    if (plan.partialBytes > 0) words[first + D.partialPointer / 4] = start + template.partial;
    this.items = units ? (units.length / unitWords) * plan.splits : plan.items;
    if (tables) {
      const { queryPositions, keyPositions, queryStarts, keyStarts } = bound;
      const at = (pointer: number): number => first + pointer / 4;
      writeTable(words, at(D.pageTablePointer), keys.pageTable, start + tables.pageTable);
      writeTable(words, at(D.queryPositionsPointer), queryPositions, start + tables.queryPositions);
      writeTable(words, at(D.keyPositionsPointer), keyPositions, start + tables.keyPositions);
      writeTable(words, at(D.queryStartsPointer), queryStarts, start + tables.queryStarts);
      writeTable(words, at(D.keyStartsPointer), keyStarts, start + tables.keyStarts);
      writeTable(words, at(D.unitsPointer), units, start + tables.units);
      words[at(D.keyRowsPointer)] = words[at(D.keyStartsPointer)] as number;
    }
    if (keyRows > 0) words[first + D.keyRowsPointer / 4] = keyRows;
    programs?.write(words, first, start + template.program);
    if (plan.splits > 1 && bound.problem.kvLengths) {
      const part = partOf(longestOf(bound), plan.splits, plan.leastSplitKeys);
      words[first + D.splitKeys / 4] = part;
    }
  }
}

const outputPointers = {
  output: D.outputPointer,
  logSumExp: D.logSumExpPointer,
  weights: D.weightsPointer,
  scores: D.scoresPointer,
} as const satisfies Record<keyof AttentionOutputs, number>;

/** A bound of a band as the descriptor has it. */
function bounded(distance: number): number {
  return Number.isFinite(distance) ? distance : -1;
}

function writeProblem(words: DataView, problem: AttentionProblem, plan: WasmPlan): void {
  const { queryHeads, kvHeads, queryLength, keyLength, headDim, valueDim } = problem;
  const band = visibleBand(problem);
  const integers: readonly (readonly [at: number, value: number])[] = [
    [D.queryHeads, queryHeads],
    [D.kvHeads, kvHeads],
    [D.queryLength, queryLength],
    [D.keyLength, keyLength],
    [D.headDim, headDim],
    [D.valueDim, valueDim],
    [D.isFloat16, problem.dtype === "float16" ? 1 : 0],
    [D.stored, storedKinds[problem.kvDtype as keyof typeof storedKinds]],
    [D.pagesPerSequence, problem.pages?.perSequence ?? 0],
    [D.pageSize, problem.pages?.size ?? 0],
    [D.queryPositionsStride, (problem.queryPositions ?? 0) > 1 ? queryLength : 0],
    [D.keyPositionsStride, (problem.keyPositions ?? 0) > 1 ? keyLength : 0],
    [D.biasIsFloat16, problem.bias?.dtype === "float16" ? 1 : 0],
    [D.bandLeft, bounded(band.left)],
    [D.bandRight, bounded(band.right)],
    [D.scoresKind, scoresKinds[problem.returns.scores ?? "none"]],
    [D.kernel, plan.kernel === "few" ? D.kernelFew : plan.short ? D.kernelShort : D.kernelTiled],
    [D.loneRow, Number(plan.loneRow)],
    [D.fromMemory, Number(plan.fromMemory)],
    [D.unitsInTurn, Number(plan.threads === 1)],
    [D.blockRows, plan.grid.rows],
    [D.blocks, plan.grid.blocks],
    [D.tileKeys, plan.tileKeys],
    [D.fewTileKeys, plan.fewTileKeys],
    [D.unitKeyHeads, plan.unitKeyHeads],
    [D.workHead, plan.work.head],
    [D.partialRows, plan.partialRows],
    [D.splits, plan.splits],
    [D.splitKeys, plan.splitKeys],
    [D.workQuery, plan.work.query],
    [D.workScores, plan.work.scores],
    [D.workOutput, plan.work.output],
    [D.workRow, plan.work.row],
    [D.workKey, plan.work.key],
    [D.workValue, plan.work.value],
    [D.workRows, plan.work.rows],
    [D.workProgram, plan.work.program],
    [D.group, plan.grid.group],
    [D.groupRows, plan.grid.stackedRows],
  ];
  for (const [at, value] of integers) words.setInt32(at, value, true);
  const factors = scaleFactors(problem);
  words.setInt32(D.stepwise, Number(factors.stepwise), true);
  const reals: readonly (readonly [at: number, value: number])[] = [
    [D.queryFactor, factors.query],
    [D.scoreFactor, factors.score],
    [D.logitFactor, factors.logit],
    [D.naturalFactor, factors.natural],
    [D.scoreCap, factors.cap],
  ];
  for (const [at, value] of reals) words.setFloat32(at, value, true);
}

const storedKinds = {
  float32: D.storedFloat32,
  float16: D.storedFloat16,
  int8: D.storedInt8,
} as const;

const scoresKinds = {
  none: D.scoresNone,
  raw: D.scoresRaw,
  capped: D.scoresCapped,
  biased: D.scoresBiased,
} as const;

/**
 * Writes integers, and their address into the descriptor; nothing of null.
 *
 * @param pointer word of the descriptor
 */
function writeTable(
  words: Int32Array,
  pointer: number,
  table: Int32Array | null,
  address: number,
): void {
  if (table === null) return;
  words.set(table, address / 4);
  words[pointer] = address;
}

/** Writes the address and strides of scales, whose axes are those of keys but for the last. */
function writeScales(words: Int32Array, at: number, { address, strides }: PlacedTensor): void {
  words[at] = address;
  for (let axis = 0; axis < 3; axis++) words[at + 1 + axis] = strides[axis] as number;
}

/**
 * Writes a tensor's address and strides.
 *
 * @param at word of its pointer
 * @param axes how many strides there are; leading axes that it lacks repeat
 */
function writeTensor(words: Int32Array, at: number, t: PlacedTensor, axes: number): void {
  const { address, strides } = t;
  const missing = 4 - strides.length;
  words[at] = address;
  for (let axis = 0; axis < axes; axis++) {
    words[at + 1 + axis] = axis < missing ? 0 : (strides[axis - missing] as number);
  }
}
