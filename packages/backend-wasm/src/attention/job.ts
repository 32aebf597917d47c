import {
  type AttentionOutputs,
  type AttentionProblem,
  attention,
  type BoundAttention,
  outputsOf,
} from "@heed/core";
import { Arena, type PlacedTensor } from "../memory/arena.js";
import type { WasmMemory } from "../memory/memory.js";
import * as D from "../shared/attention.js";
import type { WasmPlan } from "./plan.js";
import { scaleFactors } from "./scale.js";

/** A call in wasm memory: inputs, outputs, workspace and descriptor. */
export class Job {
  readonly descriptor: number;
  readonly workspace: number;
  readonly #arena: Arena;

  /**
   * @param threads that will compute it, each of which gets a workspace
   * @throws WasmOutOfMemoryError, InvalidInputError for a device tensor of another backend, DisposedError
   *   for one that was disposed; nothing is kept then
   */
  constructor(memory: WasmMemory, plan: WasmPlan, bound: BoundAttention, threads: number) {
    const { problem, mask, bias } = bound;
    const arena = new Arena(memory);
    this.#arena = arena;
    try {
      const tensors = {
        query: arena.place("query", bound.query),
        key: arena.place("key", bound.key),
        value: arena.place("value", bound.value),
        mask: mask && arena.placeBroadcast("mask", mask),
        bias: bias && arena.placeBroadcast("bias", bias),
      };
      const outputs = outputsOf(attention.operands(problem)).map(
        (spec) => [spec.name, arena.allocateOutput(spec)] as const,
      );
      this.workspace = arena.allocate(threads * plan.work.bytes);
      const addresses: readonly (readonly [at: number, address: number])[] = [
        [D.partialPointer, plan.partialBytes > 0 ? arena.allocate(plan.partialBytes) : 0],
        [D.offsetsPointer, arena.placeNumbers(bound.offsets)],
        [D.kvLengthsPointer, arena.placeNumbers(bound.kvLengths)],
        [D.alibiPointer, arena.placeNumbers(bound.alibiSlopes)],
        [D.sinksPointer, arena.placeNumbers(bound.sinks)],
      ];
      this.descriptor = arena.allocate(D.descriptorBytes);
      // Whatever is absent is 0.
      memory.bytes(this.descriptor, D.descriptorBytes).fill(0);
      const words = new DataView(memory.memory.buffer, this.descriptor, D.descriptorBytes);
      writeProblem(words, problem, plan);
      writeTensors(words, tensors);
      for (const [at, address] of addresses) words.setUint32(at, address, true);
      for (const [name, address] of outputs) {
        words.setUint32(outputPointers[name as keyof typeof outputPointers], address, true);
      }
    } catch (error) {
      arena.release();
      throw error;
    }
  }

  /** The outputs, once the job is done; they belong to the caller. */
  outputs(): AttentionOutputs {
    return this.#arena.takeOutputs() as unknown as AttentionOutputs;
  }

  /** Frees all memory but that of outputs which stay in wasm memory. */
  release(): void {
    this.#arena.release();
  }
}

const outputPointers = {
  output: D.outputPointer,
  logSumExp: D.logSumExpPointer,
  weights: D.weightsPointer,
  scores: D.scoresPointer,
} as const satisfies Record<keyof AttentionOutputs, number>;

function writeProblem(words: DataView, problem: AttentionProblem, plan: WasmPlan): void {
  const { queryHeads, kvHeads, queryLength, keyLength, headDim, valueDim, window } = problem;
  const integers: readonly (readonly [at: number, value: number])[] = [
    [D.queryHeads, queryHeads],
    [D.kvHeads, kvHeads],
    [D.queryLength, queryLength],
    [D.keyLength, keyLength],
    [D.headDim, headDim],
    [D.valueDim, valueDim],
    [D.isFloat16, problem.dtype === "float16" ? 1 : 0],
    [D.biasIsFloat16, problem.bias?.dtype === "float16" ? 1 : 0],
    [D.bandLeft, window?.left ?? -1],
    [D.bandRight, problem.causal ? 0 : (window?.right ?? -1)],
    [D.scoresKind, scoresKinds[problem.returns.scores ?? "none"]],
    [D.kernel, plan.kernel === "few" ? D.kernelFew : D.kernelTiled],
    [D.blockRows, plan.blockRows],
    [D.blocks, plan.blocks],
    [D.tileKeys, plan.tileKeys],
    [D.splits, plan.splits],
    [D.splitKeys, plan.splitKeys],
    [D.workQuery, plan.work.query],
    [D.workScores, plan.work.scores],
    [D.workOutput, plan.work.output],
    [D.workRow, plan.work.row],
    [D.workKey, plan.work.key],
    [D.workValue, plan.work.value],
    [D.workRows, plan.work.rows],
  ];
  for (const [at, value] of integers) words.setInt32(at, value, true);
  const factors = scaleFactors(problem);
  words.setInt32(D.stepwise, Number(factors.stepwise), true);
  const reals: readonly (readonly [at: number, value: number])[] = [
    [D.queryFactor, factors.query],
    [D.scoreFactor, factors.score],
    [D.logitFactor, factors.logit],
    [D.naturalFactor, factors.natural],
    [D.softcap, problem.softcap ?? 0],
  ];
  for (const [at, value] of reals) words.setFloat32(at, value, true);
}

const scoresKinds = {
  none: D.scoresNone,
  raw: D.scoresRaw,
  capped: D.scoresCapped,
  biased: D.scoresBiased,
} as const;

type Tensors = Record<"query" | "key" | "value", PlacedTensor> &
  Record<"mask" | "bias", PlacedTensor | null>;

function writeTensors(words: DataView, tensors: Tensors): void {
  const write = (at: number, t: PlacedTensor | null, axes: number): void => {
    words.setUint32(at, t?.address ?? 0, true);
    if (t === null) return;
    // Missing leading axes repeat.
    const strides = [0, 0, 0, 0, ...t.strides].slice(-4);
    for (let axis = 0; axis < axes; axis++) {
      words.setUint32(at + 4 * (axis + 1), strides[axis] as number, true);
    }
  };
  write(D.queryPointer, tensors.query, 3);
  write(D.keyPointer, tensors.key, 3);
  write(D.valuePointer, tensors.value, 3);
  write(D.maskPointer, tensors.mask, 4);
  write(D.biasPointer, tensors.bias, 4);
}
