import {
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionProblem,
  type BoundHeadValues,
  type BoundPositions,
  bindHeadValues,
  bindPositions,
  bytesPerElement,
  DisposedError,
  type DType,
  elementCount,
  InvalidInputError,
  isDeviceTensor,
  rowMajorStrides,
  statisticsDType,
  type Tensor,
} from "@heed/core";
import * as D from "./descriptor.js";
import type { WasmMemory } from "./memory.js";
import { copyIn, type Placement } from "./placement.js";
import type { WasmPlan } from "./plan.js";
import { scaleFactors } from "./scale.js";
import { copyOut, WasmTensor } from "./tensor.js";

/** An output's shape, and where it is going to be. */
interface PlacedOutput {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly placement: Placement;
}

type Outputs = { readonly [name in keyof AttentionOutputs]: PlacedOutput };

/** A call, placed in wasm memory: inputs, outputs, workspace and descriptor. */
export class Job {
  readonly descriptor: number;
  readonly workspace: number;
  readonly #memory: WasmMemory;
  /** What goes when the job is done, whatever becomes of it. */
  readonly #transient: number[] = [];
  readonly #outputs: Outputs;
  /** Whether the outputs stay in wasm memory. */
  readonly #stays: boolean;

  /**
   * @throws WasmOutOfMemoryError, InvalidInputError for a device tensor of another backend, DisposedError
   *   for one that was disposed; nothing is kept then
   */
  constructor(
    memory: WasmMemory,
    problem: AttentionProblem,
    plan: WasmPlan,
    inputs: AttentionInputs,
  ) {
    this.#memory = memory;
    const { query, key, value, mask, bias } = inputs;
    this.#stays = [query, key, value, mask, bias].some((t) => t !== undefined && isDeviceTensor(t));
    const outputs: number[] = [];
    try {
      const positions = bindPositions(problem, inputs);
      const values = bindHeadValues(inputs);
      const placed = {
        query: this.#place("query", query),
        key: this.#place("key", key),
        value: this.#place("value", value),
        mask: mask && this.#place("mask", mask),
        bias: bias && this.#place("bias", bias),
      };
      this.#outputs = this.#allocateOutputs(problem, outputs);
      this.workspace = this.#allocate(plan.threads * plan.work.bytes);
      const partial = plan.partialBytes > 0 ? this.#allocate(plan.partialBytes) : 0;
      const small = this.#placeSmall(positions, values);
      this.descriptor = this.#allocate(D.descriptorBytes);
      // What is absent is 0.
      memory.bytes(this.descriptor, D.descriptorBytes).fill(0);
      const words = new DataView(memory.memory.buffer, this.descriptor, D.descriptorBytes);
      writeProblem(words, problem, plan);
      writeTensors(words, placed);
      writeOutputs(words, this.#outputs);
      words.setUint32(D.partialPointer, partial, true);
      for (const [at, address] of small) words.setUint32(at, address, true);
    } catch (error) {
      for (const address of outputs) memory.free(address);
      this.release();
      throw error;
    }
  }

  /** The outputs, once the job is done: the caller's. */
  outputs(): AttentionOutputs {
    const take = ({ dtype, shape, placement }: PlacedOutput): Tensor => {
      if (this.#stays) return new WasmTensor(this.#memory, dtype, shape, placement);
      const host = copyOut(this.#memory, dtype, shape, placement);
      this.#memory.free(placement.address);
      return host;
    };
    const entries = Object.entries(this.#outputs).map(([name, output]) => [name, take(output)]);
    return Object.fromEntries(entries) as AttentionOutputs;
  }

  /** Gives back all memory but the outputs'. */
  release(): void {
    for (const address of this.#transient.splice(0)) this.#memory.free(address);
  }

  #allocate(bytes: number): number {
    const address = this.#memory.allocate(bytes);
    this.#transient.push(address);
    return address;
  }

  #place(argument: string, t: Tensor): RankedPlacement {
    if (!isDeviceTensor(t)) {
      const placement = copyIn(this.#memory, t);
      this.#transient.push(placement.address);
      return { ...placement, shape: t.shape, dtype: t.dtype };
    }
    if (!(t instanceof WasmTensor) || !t.isIn(this.#memory)) {
      throw new InvalidInputError(
        argument,
        "a tensor of this backend",
        t.backend === "wasm" ? "one of another wasm backend" : `a tensor of backend ${t.backend}`,
      );
    }
    if (t.disposed) throw new DisposedError(argument);
    return { ...t.placement, shape: t.shape, dtype: t.dtype };
  }

  #allocateOutputs(problem: AttentionProblem, addresses: number[]): Outputs {
    const { batch, queryHeads, queryLength, keyLength, valueDim, dtype, returns } = problem;
    const rows = [batch, queryHeads, queryLength];
    const allocate = (type: DType, shape: readonly number[]): PlacedOutput => {
      const address = this.#memory.allocate(elementCount(shape) * bytesPerElement(type));
      addresses.push(address);
      return { dtype: type, shape, placement: { address, strides: rowMajorStrides(shape) } };
    };
    return {
      output: allocate(dtype, [...rows, valueDim]),
      ...(returns.logSumExp && { logSumExp: allocate(statisticsDType(dtype), rows) }),
      ...(returns.weights && { weights: allocate(dtype, [...rows, keyLength]) }),
      ...(returns.scores && { scores: allocate(dtype, [...rows, keyLength]) }),
    };
  }

  /** Arrays of a few numbers: words of the descriptor to addresses. */
  #placeSmall(
    { offsets, kvLengths }: BoundPositions,
    { alibiSlopes, sinks }: BoundHeadValues,
  ): (readonly [word: number, address: number])[] {
    const place = (word: number, values: Int32Array | Float64Array | null) => {
      if (values === null) return [];
      const address = this.#allocate(4 * values.length);
      const View = values instanceof Int32Array ? Int32Array : Float32Array;
      new View(this.#memory.memory.buffer, address, values.length).set(values);
      return [[word, address] as const];
    };
    return [
      ...place(D.offsetsPointer, offsets),
      ...place(D.kvLengthsPointer, kvLengths),
      ...place(D.alibiPointer, alibiSlopes),
      ...place(D.sinksPointer, sinks),
    ];
  }
}

interface RankedPlacement extends Placement {
  readonly shape: readonly number[];
  readonly dtype: DType;
}

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

type Tensors = Record<"query" | "key" | "value", RankedPlacement> &
  Record<"mask" | "bias", RankedPlacement | undefined>;

function writeTensors(words: DataView, tensors: Tensors): void {
  const write = (at: number, t: RankedPlacement | undefined, axes: number): void => {
    words.setUint32(at, t?.address ?? 0, true);
    if (t === undefined) return;
    // Missing leading axes repeat, as do axes of size 1.
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

function writeOutputs(words: DataView, outputs: Outputs): void {
  const write = (at: number, output: PlacedOutput | undefined): void =>
    words.setUint32(at, output?.placement.address ?? 0, true);
  write(D.outputPointer, outputs.output);
  write(D.logSumExpPointer, outputs.logSumExp);
  write(D.weightsPointer, outputs.weights);
  write(D.scoresPointer, outputs.scores);
}
