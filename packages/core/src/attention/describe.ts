import { describeValue, InvalidInputError } from "../errors.js";
import { type DType, type FloatDType, isFloatDType } from "../tensor/dtype.js";
import {
  checkTensor,
  elementCount,
  isHostTensor,
  maxElements,
  type Tensor,
} from "../tensor/tensor.js";
import { toFloat64 } from "../tensor/values.js";
import type { AttentionInputs, AttentionWindow, ScoresKind } from "./inputs.js";
import {
  type AttentionProblem,
  type BroadcastInput,
  type PositionRule,
  problemKey,
} from "./problem.js";

/** The named sizes of a call, as they are read off query, key and value. */
interface Sizes {
  readonly batch: number;
  readonly queryHeads: number;
  readonly kvHeads: number;
  readonly queryLength: number;
  readonly keyLength: number;
  readonly headDim: number;
  readonly valueDim: number;
}

const inputNames: ReadonlySet<string> = new Set([
  "query",
  "key",
  "value",
  "mask",
  "bias",
  "causal",
  "window",
  "queryOffset",
  "kvLengths",
  "alibiSlopes",
  "sinks",
  "scale",
  "softcap",
  "returns",
]);

/**
 * Validates a call, once and completely, and derives its canonical problem. Nothing is computed and
 * no tensor's elements are read (but for the few values in `kvLengths`, `queryOffset`,
 * `alibiSlopes` and `sinks`).
 *
 * @throws InvalidInputError naming the argument at fault
 * @throws DisposedError naming a device tensor that was disposed
 */
export function describeProblem(inputs: AttentionInputs): AttentionProblem {
  checkNames("inputs", inputs, inputNames);
  const { query, key, value } = inputs;
  checkTensor("query", query);
  checkTensor("key", key);
  checkTensor("value", value);
  const dtype = floatDType("query", query);
  sameDType("key", key, dtype);
  sameDType("value", value, dtype);
  const sizes = readSizes(query, key, value);
  const full = [sizes.batch, sizes.queryHeads, sizes.queryLength, sizes.keyLength] as const;

  const mask = readMask(inputs.mask, full);
  const bias = readBias(inputs.bias, full, dtype);
  const causal = flag("causal", inputs.causal);
  const window = readWindow(inputs.window);
  const kvLengths = readKvLengths(inputs.kvLengths, sizes);
  const alibi = checkHeadValues("alibiSlopes", inputs.alibiSlopes, sizes.queryHeads);
  const sinks = checkHeadValues("sinks", inputs.sinks, sizes.queryHeads);
  const scale = readScale(inputs.scale, sizes.headDim);
  const softcap = readSoftcap(inputs.softcap);
  const returns = readReturns(inputs.returns, full, sizes.valueDim);
  const needsPositions = causal || window !== null || alibi;
  const positions = readPositions(inputs.queryOffset, sizes, kvLengths, needsPositions);

  const problem = {
    ...sizes,
    dtype,
    mask,
    bias,
    causal,
    window,
    positions,
    kvLengths,
    alibi,
    sinks,
    scale,
    softcap,
    returns,
  };
  return Object.freeze({ key: problemKey(problem), ...problem });
}

/** A misspelt option would be ignored without a word: the worst answer to a wrong call. */
function checkNames(argument: string, value: unknown, names: ReadonlySet<string>): void {
  if (typeof value !== "object" || value === null) {
    throw new InvalidInputError(argument, "an object", describeValue(value));
  }
  for (const name of Object.keys(value)) {
    if (!names.has(name)) {
      throw new InvalidInputError(
        `${argument}.${name}`,
        `only ${[...names].join(", ")}`,
        JSON.stringify(name),
      );
    }
  }
}

function floatDType(argument: string, t: Tensor): FloatDType {
  if (!isFloatDType(t.dtype)) {
    throw new InvalidInputError(argument, "dtype float64, float32 or float16", t.dtype);
  }
  return t.dtype;
}

function sameDType(argument: string, t: Tensor, dtype: DType): void {
  if (t.dtype !== dtype) {
    throw new InvalidInputError(argument, `the query's dtype ${dtype}`, t.dtype);
  }
}

function readSizes(query: Tensor, key: Tensor, value: Tensor): Sizes {
  const [batch, queryHeads, queryLength, headDim] = rank4("query", query);
  const [keyBatch, kvHeads, keyLength, keyDim] = rank4("key", key);
  const [valueBatch, valueHeads, valueLength, valueDim] = rank4("value", value);
  const need = (argument: string, what: string, expected: number, actual: number): void => {
    if (actual !== expected) {
      throw new InvalidInputError(argument, `${what} ${expected}`, `${actual}`);
    }
  };
  need("key", "the query's batch size", batch, keyBatch);
  need("value", "the query's batch size", batch, valueBatch);
  need("key", "the query's head size", headDim, keyDim);
  need("value", "the key's number of heads", kvHeads, valueHeads);
  need("value", "the key's length", keyLength, valueLength);
  if (kvHeads === 0 ? queryHeads !== 0 : queryHeads % kvHeads !== 0) {
    throw new InvalidInputError(
      "query",
      `a number of heads that is a multiple of the key's ${kvHeads}`,
      `${queryHeads}`,
    );
  }
  if (headDim === 0) throw new InvalidInputError("query", "a head size of at least 1", "0");
  if (valueDim === 0) throw new InvalidInputError("value", "a head size of at least 1", "0");
  return { batch, queryHeads, kvHeads, queryLength, keyLength, headDim, valueDim };
}

function rank4(argument: string, t: Tensor): readonly [number, number, number, number] {
  if (t.shape.length !== 4) {
    throw new InvalidInputError(
      argument,
      "shape [batch, heads, length, headDim] (splitHeads and transpose make views of other layouts)",
      `[${t.shape.join(", ")}]`,
    );
  }
  return t.shape as readonly [number, number, number, number];
}

function readMask(mask: Tensor | undefined, full: readonly number[]): AttentionProblem["mask"] {
  if (mask === undefined) return null;
  checkTensor("mask", mask);
  if (mask.dtype !== "bool") {
    throw new InvalidInputError(
      "mask",
      "dtype bool, true where a key may be attended to (what is added to the logits is a bias)",
      mask.dtype,
    );
  }
  return broadcastShape("mask", mask, full, "bool");
}

function readBias(
  bias: Tensor | undefined,
  full: readonly number[],
  dtype: FloatDType,
): AttentionProblem["bias"] {
  if (bias === undefined) return null;
  checkTensor("bias", bias);
  if (bias.dtype !== dtype && bias.dtype !== "float32") {
    throw new InvalidInputError("bias", `the query's dtype ${dtype}, or float32`, bias.dtype);
  }
  return broadcastShape("bias", bias, full, bias.dtype);
}

function broadcastShape<D extends DType>(
  argument: string,
  t: Tensor,
  full: readonly number[],
  dtype: D,
): BroadcastInput<D> {
  const missing = 4 - t.shape.length;
  const fits = t.shape.every((size, i) => size === 1 || size === full[i + missing]);
  if (t.shape.length < 1 || t.shape.length > 4 || !fits) {
    throw new InvalidInputError(
      argument,
      `rank 1 to 4, each axis from the right 1 or as in [batch, queryHeads, queryLength, keyLength] = [${full.join(", ")}]`,
      `[${t.shape.join(", ")}]`,
    );
  }
  const shape = full.map((_, i) => (i < missing ? 1 : (t.shape[i - missing] as number)));
  return { dtype, shape: shape as [number, number, number, number] };
}

function flag(argument: string, value: unknown): boolean {
  if (value === undefined) return false;
  if (typeof value !== "boolean") {
    throw new InvalidInputError(argument, "a boolean", describeValue(value));
  }
  return value;
}

const windowNames: ReadonlySet<string> = new Set(["left", "right"]);

function readWindow(window: AttentionWindow | undefined): AttentionProblem["window"] {
  if (window === undefined) return null;
  checkNames("window", window, windowNames);
  const side = (name: "left" | "right"): number | null => {
    const size: unknown = window[name];
    if (size === undefined) return null;
    if (!Number.isInteger(size) || (size as number) < 0 || (size as number) > maxElements) {
      throw new InvalidInputError(
        `window.${name}`,
        "an integer from 0 to 2^31 − 1, or nothing for unbounded",
        describeValue(size),
      );
    }
    return size as number;
  };
  const left = side("left");
  const right = side("right");
  return left === null && right === null ? null : { left, right };
}

function readKvLengths(lengths: AttentionInputs["kvLengths"], sizes: Sizes): boolean {
  if (lengths === undefined) return false;
  checkBatchIntegers("kvLengths", lengths, sizes.batch);
  for (const length of lengths) {
    if (length < 0 || length > sizes.keyLength) {
      throw new InvalidInputError(
        "kvLengths",
        `lengths from 0 to the key's length ${sizes.keyLength}`,
        `${length}`,
      );
    }
  }
  return true;
}

function checkBatchIntegers(argument: string, value: unknown, batch: number): void {
  if (!(value instanceof Int32Array) && !Array.isArray(value)) {
    throw new InvalidInputError(argument, "an Int32Array, one a batch", describeValue(value));
  }
  if (value.length !== batch) {
    throw new InvalidInputError(
      argument,
      `${batch} integers, one a batch`,
      `${value.length} of them`,
    );
  }
  for (const integer of value as readonly unknown[]) {
    if (!isInt32(integer)) {
      throw new InvalidInputError(argument, "32-bit signed integers", describeValue(integer));
    }
  }
}

function isInt32(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) === ((value as number) | 0);
}

function checkHeadValues(
  argument: "alibiSlopes" | "sinks",
  value: unknown,
  heads: number,
): boolean {
  if (value === undefined) return false;
  const values = headValues(argument, value);
  if (values.length !== heads) {
    throw new InvalidInputError(
      argument,
      `${heads} values, one a query head`,
      `${values.length} of them`,
    );
  }
  for (const x of Array.from(values)) {
    if (!Number.isFinite(x) && !(argument === "sinks" && x === Number.NEGATIVE_INFINITY)) {
      const expected = argument === "sinks" ? "finite numbers or −∞" : "finite numbers";
      throw new InvalidInputError(argument, expected, `${x}`);
    }
  }
  return true;
}

function readScale(scale: unknown, headDim: number): number {
  if (scale === undefined) return 1 / Math.sqrt(headDim);
  if (!Number.isFinite(scale)) {
    throw new InvalidInputError("scale", "a finite number", describeValue(scale));
  }
  return scale as number;
}

function readSoftcap(softcap: unknown): number | null {
  if (softcap === undefined || softcap === 0) return null;
  if (!Number.isFinite(softcap) || (softcap as number) < 0) {
    throw new InvalidInputError(
      "softcap",
      "a finite number > 0, or nothing for no cap",
      describeValue(softcap),
    );
  }
  return softcap as number;
}

const returnsNames: ReadonlySet<string> = new Set(["logSumExp", "weights", "scores"]);
const scoresKinds: readonly unknown[] = ["raw", "capped", "biased"] satisfies ScoresKind[];

function readReturns(
  returns: AttentionInputs["returns"],
  full: readonly number[],
  valueDim: number,
): AttentionProblem["returns"] {
  const asked = returns ?? {};
  checkNames("returns", asked, returnsNames);
  const scores: unknown = asked.scores;
  if (scores !== undefined && !scoresKinds.includes(scores)) {
    throw new InvalidInputError(
      "returns.scores",
      '"raw", "capped" or "biased"',
      describeValue(scores),
    );
  }
  const weights = flag("returns.weights", asked.weights);
  checkOutput("query", [...full.slice(0, 3), valueDim], "output");
  if (weights) checkOutput("returns.weights", full, "weights");
  if (scores !== undefined) checkOutput("returns.scores", full, "scores");
  return {
    logSumExp: flag("returns.logSumExp", asked.logSumExp),
    weights,
    scores: (scores as ScoresKind | undefined) ?? null,
  };
}

/** Inputs whose strides repeat elements can be small where what they ask for is not. */
function checkOutput(argument: string, shape: readonly number[], what: string): void {
  if (elementCount(shape) > maxElements) {
    throw new InvalidInputError(
      argument,
      `${what} of at most 2^31 − 1 elements`,
      `[${shape.join(", ")}], ${elementCount(shape)} elements`,
    );
  }
}

function readPositions(
  offset: AttentionInputs["queryOffset"],
  sizes: Sizes,
  kvLengths: boolean,
  needed: boolean,
): PositionRule {
  const rule = readOffset(offset, sizes.batch);
  if (!needed) return "none";
  if (rule !== null) return rule;
  if (kvLengths || sizes.queryLength !== sizes.keyLength) {
    throw new InvalidInputError(
      "queryOffset",
      kvLengths
        ? 'where query row 0 sits on the key axis, since kvLengths is given and causal, window or alibiSlopes need positions: 0 aligns the first query with the first key, "bottom-right" the last with the last'
        : `where query row 0 sits on the key axis, since the query's length ${sizes.queryLength} differs from the key's ${sizes.keyLength} and causal, window or alibiSlopes need positions: 0 aligns the first query with the first key, "bottom-right" the last with the last`,
      "undefined",
    );
  }
  return "fixed";
}

function readOffset(offset: unknown, batch: number): PositionRule | null {
  if (offset === undefined) return null;
  if (offset === "bottom-right") return "bottom-right";
  if (typeof offset === "number") {
    if (!isInt32(offset)) {
      throw new InvalidInputError("queryOffset", "a 32-bit signed integer", describeValue(offset));
    }
    return "fixed";
  }
  if (!(offset instanceof Int32Array) && !Array.isArray(offset)) {
    throw new InvalidInputError(
      "queryOffset",
      'an integer, "bottom-right", or an Int32Array, one a batch',
      describeValue(offset),
    );
  }
  checkBatchIntegers("queryOffset", offset, batch);
  return "per-batch";
}

function headValues(argument: string, value: unknown): ArrayLike<number> {
  if (value instanceof Float32Array || value instanceof Float64Array) return value;
  if (Array.isArray(value)) {
    for (const x of value as readonly unknown[]) {
      if (typeof x !== "number") {
        throw new InvalidInputError(argument, "numbers, one a query head", describeValue(x));
      }
    }
    return value as readonly number[];
  }
  if (!isHostTensor(value)) {
    throw new InvalidInputError(
      argument,
      "a host tensor of shape [queryHeads], a Float32Array, a Float64Array or an array of numbers",
      describeValue(value),
    );
  }
  checkTensor(argument, value);
  floatDType(argument, value);
  if (value.shape.length !== 1) {
    throw new InvalidInputError(argument, "shape [queryHeads]", `[${value.shape.join(", ")}]`);
  }
  return toFloat64(value);
}
