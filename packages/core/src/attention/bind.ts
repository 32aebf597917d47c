import { describeValue, InvalidInputError } from "../errors.js";
import { takeOperand } from "../operation/known-operands.js";
import type { Bound, OperandSpec } from "../operation/operation.js";
import { checkProblem } from "../operation/problem.js";
import { reading, unreadable } from "../options.js";
import { type BoundProgram, unboundProgram } from "../program/bound.js";
import { isDeviceTensor, isHostTensor, makeHostTensor, readTensor } from "../tensor/host-tensor.js";
import type { HostTensor, Tensor } from "../tensor/tensor.js";
import { toFloat64 } from "../tensor/values.js";
import { broadcastTo } from "../tensor/views.js";
import { PositionsOfCall } from "./bind-positions.js";
import type { AttentionInputs, HeadValues } from "./inputs.js";
import { attentionOperands } from "./operands.js";
import { type AttentionProblem, type BroadcastInput, optionsOf } from "./problem.js";
import {
  type BoundBlockMask,
  type BoundPrograms,
  bindPrograms,
  type CallPrograms,
  noPrograms,
  readPrograms,
} from "./programs.js";
import { alignedSize } from "./validation/broadcast.js";

/** A call's per-head values. */
export interface BoundHeadValues {
  /** `[queryHeads]`. */
  readonly alibiSlopes: Float64Array | null;
  /** `[queryHeads]`; −∞ is no sink. */
  readonly sinks: Float64Array | null;
}

/** A call of attention with everything optional resolved: what a kernel's loops want. */
export class BoundAttention<T extends Tensor = Tensor>
  extends PositionsOfCall
  implements Bound<AttentionProblem, AttentionInputs>, BoundHeadValues, BoundPrograms
{
  readonly problem: AttentionProblem;
  readonly query: T;
  readonly key: T;
  readonly value: T;
  /** `[batch or pages, kvHeads, keys or pageSize]`, of int8 keys; null beside others. */
  readonly keyScales: T | null;
  /** As `keyScales`, of the values. */
  readonly valueScales: T | null;
  readonly alibiSlopes: Float64Array | null;
  readonly sinks: Float64Array | null;
  /** The mask program with its data; null without one. */
  readonly maskMod: BoundProgram<"mask"> | null;
  /** The score program with its data; null without one. */
  readonly scoreMod: BoundProgram<"score"> | null;
  readonly blockMask: BoundBlockMask | null;
  readonly #mask: T | undefined;
  readonly #bias: T | undefined;
  /** The programs as they were given; their scalars may change. */
  readonly #programs: CallPrograms | null;
  #reads: readonly T[] | null = null;
  #expandedMask: T | null = null;
  #expandedBias: T | null = null;

  constructor(problem: AttentionProblem, inputs: AttentionInputs<T>) {
    super(problem, inputs);
    this.problem = problem;
    const operands = attentionOperands(problem);
    const take = takeOperand<T>;
    this.query = take(operands[0] as OperandSpec, inputs.query);
    this.key = take(operands[1] as OperandSpec, inputs.key);
    this.value = take(operands[2] as OperandSpec, inputs.value);
    const scaled = problem.kvDtype === "int8";
    this.keyScales = scaled ? take(operands[3] as OperandSpec, inputs.keyScales) : null;
    this.valueScales = scaled ? take(operands[4] as OperandSpec, inputs.valueScales) : null;
    this.#mask = takeBroadcast(inputs.mask, "mask", problem.mask);
    this.#bias = takeBroadcast(inputs.bias, "bias", problem.bias);
    this.alibiSlopes = headValues("alibiSlopes", inputs.alibiSlopes, problem.queryHeads);
    this.sinks = headValues("sinks", inputs.sinks, problem.queryHeads);
    const programs = bindPrograms(problem, inputs, this);
    this.maskMod = programs.maskMod;
    this.scoreMod = programs.scoreMod;
    this.blockMask = programs.blockMask;
    this.#programs = programs === noPrograms ? null : readPrograms(inputs);
  }

  /**
   * A host tensor is expanded to `[batch, queryHeads, queryLength, keyLength]` by strides of 0; a
   * device tensor is as given.
   */
  get mask(): T | null {
    if (this.#mask !== undefined) this.#expandedMask ??= this.#expand("mask", this.#mask);
    return this.#expandedMask;
  }

  /** Expanded in the same way as the mask. */
  get bias(): T | null {
    if (this.#bias !== undefined) this.#expandedBias ??= this.#expand("bias", this.#bias);
    return this.#expandedBias;
  }

  get reads(): readonly T[] {
    if (this.#reads === null) {
      const { query, key, value, keyScales, valueScales } = this;
      // In one literal: an array that is appended to takes room for sixteen more.
      const reads =
        keyScales !== null && valueScales !== null
          ? [query, key, value, keyScales, valueScales]
          : [query, key, value];
      if (this.#mask !== undefined) reads.push(this.#mask);
      if (this.#bias !== undefined) reads.push(this.#bias);
      this.#reads = reads;
    }
    return this.#reads;
  }

  get inputs(): AttentionInputs<T> {
    const { positions, kvLengths, sequences, pages, queryLength, keyLength } = this.problem;
    const { keyScales, valueScales, queryStarts, keyStarts } = this;
    const pageTable = table(this.pageTable, sequences, pages?.perSequence ?? 0);
    const queryPositions = table(
      this.queryPositions,
      this.problem.queryPositions ?? 0,
      queryLength,
    );
    const keyPositions = table(this.keyPositions, this.problem.keyPositions ?? 0, keyLength);
    return {
      ...optionsOf(this.problem),
      query: this.query,
      key: this.key,
      value: this.value,
      ...(keyScales && { keyScales }),
      ...(valueScales && { valueScales }),
      ...(pageTable && { pageTable }),
      ...(queryStarts && { queryStarts }),
      ...(keyStarts && { keyStarts }),
      ...(queryPositions && { queryPositions }),
      ...(keyPositions && { keyPositions }),
      ...(this.#mask !== undefined && { mask: this.#mask }),
      ...(this.#bias !== undefined && { bias: this.#bias }),
      ...(positions === "fixed" && { queryOffset: this.offsets[0] ?? 0 }),
      ...(positions === "bottom-right" && { queryOffset: "bottom-right" as const }),
      ...(positions === "per-batch" && { queryOffset: this.offsets }),
      ...(kvLengths && { kvLengths: this.kvLengths }),
      ...(this.alibiSlopes && { alibiSlopes: this.alibiSlopes }),
      ...(this.sinks && { sinks: this.sinks }),
      ...this.#programInputs(),
    };
  }

  #programInputs(): Pick<AttentionInputs, "maskMod" | "scoreMod" | "blockMask"> {
    const { maskMod = null, scoreMod = null } = this.#programs ?? {};
    return {
      ...(maskMod && this.maskMod && { maskMod: unboundProgram(maskMod, this.maskMod) }),
      ...(scoreMod && this.scoreMod && { scoreMod: unboundProgram(scoreMod, this.scoreMod) }),
      ...(this.blockMask && { blockMask: this.blockMask.blocks }),
    };
  }

  #expand(name: "mask" | "bias", t: T): T {
    if (isDeviceTensor(t)) return t;
    const { batch, queryHeads, queryLength, keyLength } = this.problem;
    return broadcastTo(
      t as HostTensor,
      [batch, queryHeads, queryLength, keyLength],
      name,
    ) as HostTensor as T;
  }
}

/** Integers as a tensor `[rows, columns]`. */
function table(
  data: Int32Array | null,
  rows: number,
  columns: number,
): HostTensor<"int32"> | undefined {
  if (data === null) return undefined;
  const shape = [rows, columns];
  return makeHostTensor("", { dtype: "int32", shape, strides: [columns, 1], offset: 0, data });
}

/** A mask or bias, checked as {@link takeOperand} does it. */
function takeBroadcast<T extends Tensor>(
  given: T | undefined,
  name: string,
  described: BroadcastInput<string> | null,
): T | undefined {
  if (given === undefined) {
    if (described === null) return undefined;
    throw new InvalidInputError(name, "a tensor, as the problem says", "undefined");
  }
  const t = readTensor(name, given);
  if (described !== null && isAsDescribed(t, described)) return t as T;
  throw new InvalidInputError(
    name,
    described === null
      ? "nothing, as the problem says"
      : `${described.dtype} that broadcasts as [${described.shape.join(", ")}], as the problem says`,
    `${t.dtype} of shape [${t.shape.join(", ")}]`,
  );
}

function isAsDescribed(t: Tensor, { dtype, shape }: BroadcastInput<string>): boolean {
  return t.dtype === dtype && shape.every((size, axis) => size === alignedSize(t, axis));
}

/** A bound call whose tensors are all in host memory. */
export type BoundInputs = BoundAttention<HostTensor>;

/**
 * Resolves a whole call.
 *
 * @param inputs a call that `describeProblem` has turned into `problem`
 */
export function bindAttention(problem: AttentionProblem, inputs: AttentionInputs): BoundAttention {
  checkProblem(problem, "attention");
  try {
    return new BoundAttention(problem, inputs);
  } catch (error) {
    throw unreadable("inputs", error);
  }
}

/**
 * Resolves a whole call on host tensors.
 *
 * @param inputs a call that `describeProblem` has turned into `problem`
 * @throws InvalidInputError where a tensor lives on a device
 */
export function bindInputs(problem: AttentionProblem, inputs: AttentionInputs): BoundInputs {
  const bound = bindAttention(problem, inputs);
  for (const t of bound.reads) {
    if (!isDeviceTensor(t)) continue;
    const names = ["query", "key", "value", "keyScales", "valueScales", "mask"] as const;
    const name = names.find((name) => bound[name] === t);
    throw new InvalidInputError(
      name ?? "bias",
      "a host tensor",
      `a tensor of backend ${t.backend}`,
    );
  }
  return bound as BoundInputs;
}

/** Resolves `alibiSlopes` and `sinks`, whichever way they were given. */
export function bindHeadValues(inputs: AttentionInputs): BoundHeadValues {
  return reading("inputs", () => ({
    alibiSlopes: headValues("alibiSlopes", inputs.alibiSlopes),
    sinks: headValues("sinks", inputs.sinks),
  }));
}

/** @param count how many there must be; left out, as many as are given */
function headValues(
  argument: string,
  given: HeadValues | undefined,
  count?: number,
): Float64Array | null {
  if (given === undefined) return null;
  const values = isHostTensor(given) ? toFloat64(given) : given;
  const heads = count ?? values.length;
  if (values.length !== heads) {
    throw new InvalidInputError(argument, `${heads} values, one a query head`, `${values.length}`);
  }
  const copy = new Float64Array(heads);
  for (let h = 0; h < heads; h++) {
    const value: unknown = values[h];
    if (typeof value !== "number") {
      throw new InvalidInputError(argument, "numbers", describeValue(value));
    }
    copy[h] = value;
  }
  return copy;
}
