import { describeValue, InvalidInputError } from "../errors.js";
import type { Bound } from "../operation/operation.js";
import { checkProblem } from "../operation/problem.js";
import { reading } from "../options.js";
import { isDeviceTensor, isHostTensor, readTensor, takeSame } from "../tensor/host-tensor.js";
import type { HostTensor, Tensor } from "../tensor/tensor.js";
import { toFloat64 } from "../tensor/values.js";
import { broadcastTo } from "../tensor/views.js";
import type { AttentionInputs, HeadValues } from "./inputs.js";
import { type AttentionProblem, type BroadcastInput, optionsOf } from "./problem.js";
import { alignedSize } from "./validation/broadcast.js";

/** A call's positions and lengths, resolved to one integer a batch. */
export interface BoundPositions {
  /** `[batch]`: position of query row 0; zeros where no rule needs positions. */
  readonly offsets: Int32Array;
  /** `[batch]`: number of existing keys; keyLength where `kvLengths` was not given. */
  readonly kvLengths: Int32Array;
}

/** A call's per-head values. */
export interface BoundHeadValues {
  /** `[queryHeads]`. */
  readonly alibiSlopes: Float64Array | null;
  /** `[queryHeads]`; −∞ is no sink. */
  readonly sinks: Float64Array | null;
}

/** A call of attention with everything optional resolved: what a kernel's loops want. */
export class BoundAttention<T extends Tensor = Tensor>
  implements Bound<AttentionProblem, AttentionInputs>, BoundPositions, BoundHeadValues
{
  readonly problem: AttentionProblem;
  readonly query: T;
  readonly key: T;
  readonly value: T;
  readonly offsets: Int32Array;
  readonly kvLengths: Int32Array;
  readonly alibiSlopes: Float64Array | null;
  readonly sinks: Float64Array | null;
  readonly #mask: T | undefined;
  readonly #bias: T | undefined;
  #reads: readonly T[] | null = null;
  #expandedMask: T | null = null;
  #expandedBias: T | null = null;

  constructor(problem: AttentionProblem, inputs: AttentionInputs<T>) {
    const { batch, queryHeads, kvHeads, queryLength, keyLength, dtype } = problem;
    this.problem = problem;
    const { headDim, valueDim } = problem;
    this.query = takeSame("query", inputs.query, [batch, queryHeads, queryLength, headDim], dtype);
    this.key = takeSame("key", inputs.key, [batch, kvHeads, keyLength, headDim], dtype);
    this.value = takeSame("value", inputs.value, [batch, kvHeads, keyLength, valueDim], dtype);
    this.#mask = takeBroadcast(inputs.mask, "mask", problem.mask);
    this.#bias = takeBroadcast(inputs.bias, "bias", problem.bias);
    this.kvLengths = bindLengths(problem, inputs);
    this.offsets = bindOffsets(problem, inputs, this.kvLengths);
    this.alibiSlopes = headValues("alibiSlopes", inputs.alibiSlopes, queryHeads);
    this.sinks = headValues("sinks", inputs.sinks, queryHeads);
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
      const { query, key, value } = this;
      const mask = this.#mask;
      const bias = this.#bias;
      this.#reads =
        mask === undefined
          ? bias === undefined
            ? [query, key, value]
            : [query, key, value, bias]
          : bias === undefined
            ? [query, key, value, mask]
            : [query, key, value, mask, bias];
    }
    return this.#reads;
  }

  get inputs(): AttentionInputs<T> {
    const { positions, kvLengths } = this.problem;
    return {
      ...optionsOf(this.problem),
      query: this.query,
      key: this.key,
      value: this.value,
      ...(this.#mask !== undefined && { mask: this.#mask }),
      ...(this.#bias !== undefined && { bias: this.#bias }),
      ...(positions === "fixed" && { queryOffset: this.offsets[0] ?? 0 }),
      ...(positions === "bottom-right" && { queryOffset: "bottom-right" as const }),
      ...(positions === "per-batch" && { queryOffset: this.offsets }),
      ...(kvLengths && { kvLengths: this.kvLengths }),
      ...(this.alibiSlopes && { alibiSlopes: this.alibiSlopes }),
      ...(this.sinks && { sinks: this.sinks }),
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

/** A mask or bias, checked as {@link takeSame} does it. */
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
  const same =
    described !== null &&
    t.dtype === described.dtype &&
    described.shape.every((size, axis) => size === alignedSize(t, axis));
  if (same) return t as T;
  throw new InvalidInputError(
    name,
    described === null
      ? "nothing, as the problem says"
      : `${described.dtype} that broadcasts as [${described.shape.join(", ")}], as the problem says`,
    `${t.dtype} of shape [${t.shape.join(", ")}]`,
  );
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
  return reading("inputs", () => new BoundAttention(problem, inputs));
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
    const name = (["query", "key", "value", "mask"] as const).find((name) => bound[name] === t);
    throw new InvalidInputError(
      name ?? "bias",
      "a host tensor",
      `a tensor of backend ${t.backend}`,
    );
  }
  return bound as BoundInputs;
}

/**
 * Resolves `queryOffset` and `kvLengths`.
 *
 * @param inputs a call that `describeProblem` has turned into `problem`
 */
export function bindPositions(problem: AttentionProblem, inputs: AttentionInputs): BoundPositions {
  checkProblem(problem, "attention");
  return reading("inputs", () => positionsOf(problem, inputs));
}

function positionsOf(problem: AttentionProblem, inputs: AttentionInputs): BoundPositions {
  const kvLengths = bindLengths(problem, inputs);
  return { offsets: bindOffsets(problem, inputs, kvLengths), kvLengths };
}

/** Resolves `alibiSlopes` and `sinks`, whichever way they were given. */
export function bindHeadValues(inputs: AttentionInputs): BoundHeadValues {
  return reading("inputs", () => ({
    alibiSlopes: headValues("alibiSlopes", inputs.alibiSlopes),
    sinks: headValues("sinks", inputs.sinks),
  }));
}

function bindLengths({ batch, keyLength }: AttentionProblem, inputs: AttentionInputs): Int32Array {
  const given = inputs.kvLengths;
  if (given === undefined) return constant(batch, keyLength);
  const lengths = copyIntegers("kvLengths", given, batch);
  // Again, on the copy: the array may have changed since it was described, by another thread too.
  for (let b = 0; b < batch; b++) {
    const length = lengths[b] as number;
    if (length >= 0 && length <= keyLength) continue;
    throw new InvalidInputError(
      "kvLengths",
      `lengths from 0 to the key's length ${keyLength}`,
      `${length}`,
    );
  }
  return lengths;
}

function copyIntegers(argument: string, given: ArrayLike<number>, count: number): Int32Array {
  const copy = new Int32Array(count);
  for (let b = 0; b < count; b++) {
    const value: unknown = given[b];
    if (typeof value !== "number") {
      throw new InvalidInputError(argument, "32-bit signed integers", describeValue(value));
    }
    copy[b] = value;
  }
  return copy;
}

function bindOffsets(
  { positions, batch, queryLength }: AttentionProblem,
  { queryOffset }: AttentionInputs,
  kvLengths: Int32Array,
): Int32Array {
  switch (positions) {
    case "none":
      return constant(batch, 0);
    case "fixed":
      return constant(batch, Number(queryOffset ?? 0));
    case "bottom-right":
      return kvLengths.map((length) => length - queryLength);
    case "per-batch":
      return copyIntegers("queryOffset", queryOffset as ArrayLike<number>, batch);
  }
}

/** Lengths and offsets that are the same for each batch, by size and value: most calls repeat them. */
const constants = new Map<number, Int32Array>();
const mostConstants = 256;

/** `count` times the same integer. Callers share the array and must not write to it. */
function constant(count: number, value: number): Int32Array {
  if (count > 64) return new Int32Array(count).fill(value);
  const key = value * 65 + count;
  let array = constants.get(key);
  if (array === undefined) {
    array = new Int32Array(count).fill(value);
    if (constants.size === mostConstants) constants.clear();
    constants.set(key, array);
  }
  return array;
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
