import { describeValue, InvalidInputError } from "../../errors.js";
import { checkNames, flag, isList } from "../../options.js";
import { type FloatDType, statisticsDType } from "../../tensor/dtype.js";
import { checkTensor, isHostTensor } from "../../tensor/host-tensor.js";
import { elementCount, maxElements } from "../../tensor/layout.js";
import { typedArrayName } from "../../tensor/typed-array.js";
import { roundTo, toFloat64 } from "../../tensor/values.js";
import type { AttentionInputs, ScoresKind } from "../inputs.js";
import type { FullShape } from "./broadcast.js";
import { checkFloat } from "./sizes.js";

const windowNames: ReadonlySet<string> = new Set(["left", "right"]);
const returnsNames: ReadonlySet<string> = new Set(["logSumExp", "weights", "scores"]);
const scoresKinds: readonly unknown[] = ["raw", "capped", "biased"] satisfies ScoresKind[];

/** @throws InvalidInputError */
export function checkWindow(window: unknown): void {
  checkNames("window", window, windowNames);
  for (const side of ["left", "right"] as const) {
    const size = (window as Record<string, unknown>)[side];
    if (size === undefined) continue;
    if (!Number.isInteger(size) || (size as number) < 0 || (size as number) > maxElements) {
      throw new InvalidInputError(
        `window.${side}`,
        "an integer from 0 to 2^31 − 1, or nothing for unbounded",
        describeValue(size),
      );
    }
  }
}

/**
 * The factor of the dot products.
 *
 * @throws InvalidInputError unless it is finite in the dtype of softmax statistics
 */
export function readScale(scale: unknown, headDim: number, dtype: FloatDType): number {
  if (scale === undefined) return 1 / Math.sqrt(headDim);
  if (!isFiniteIn(dtype, scale)) {
    throw new InvalidInputError("scale", finiteNumber(dtype), describeValue(scale));
  }
  return scale;
}

/**
 * The bound of the logits, or 0 for none.
 *
 * @throws InvalidInputError unless it is finite and not 0 in the dtype of softmax statistics
 */
export function readSoftcap(softcap: unknown, dtype: FloatDType): number {
  if (softcap === undefined || softcap === 0) return 0;
  if (!isFiniteIn(dtype, softcap) || roundTo(statisticsDType(dtype), softcap) <= 0) {
    throw new InvalidInputError(
      "softcap",
      `${finiteNumber(dtype)} > 0, or nothing for no cap`,
      describeValue(softcap),
    );
  }
  return softcap;
}

/**
 * @param ragged whether the batch is ragged: it has neither weights nor scores
 * @throws InvalidInputError
 */
export function checkReturns(
  returns: NonNullable<AttentionInputs["returns"]>,
  full: FullShape,
  ragged: boolean,
): void {
  checkNames("returns", returns, returnsNames);
  const scores: unknown = returns.scores;
  if (scores !== undefined && !scoresKinds.includes(scores)) {
    throw new InvalidInputError(
      "returns.scores",
      '"raw", "capped" or "biased"',
      describeValue(scores),
    );
  }
  flag("returns.logSumExp", returns.logSumExp);
  const weights = flag("returns.weights", returns.weights);
  if (ragged && (weights || scores !== undefined)) {
    throw new InvalidInputError(
      weights ? "returns.weights" : "returns.scores",
      "neither weights nor scores of a ragged batch",
      describeValue(weights || scores),
    );
  }
  if (weights) checkOutput("returns.weights", full, "weights");
  if (scores !== undefined) checkOutput("returns.scores", full, "scores");
}

/** Inputs whose strides repeat elements can be small where what they ask for is not. */
export function checkOutput(argument: string, shape: readonly number[], what: string): void {
  if (elementCount(shape) > maxElements) {
    throw new InvalidInputError(
      argument,
      `${what} of at most 2^31 − 1 elements`,
      `[${shape.join(", ")}], ${elementCount(shape)} elements`,
    );
  }
}

/**
 * Checks values that each query head has one of.
 *
 * @throws InvalidInputError unless they are finite in the dtype of softmax statistics; a sink may be −∞
 */
export function checkHeadValues(
  argument: "alibiSlopes" | "sinks",
  value: unknown,
  heads: number,
  dtype: FloatDType,
): void {
  const values = headValues(argument, value);
  if (values.length !== heads) {
    throw new InvalidInputError(
      argument,
      `${heads} values, one a query head`,
      `${values.length} of them`,
    );
  }
  const mayBeMinusInfinity = argument === "sinks";
  for (let h = 0; h < heads; h++) {
    const x = values[h] as number;
    if (isFiniteIn(dtype, x) || (mayBeMinusInfinity && x === Number.NEGATIVE_INFINITY)) continue;
    throw new InvalidInputError(
      argument,
      `${finiteNumber(dtype)} for each head${mayBeMinusInfinity ? ", or −∞" : ""}`,
      `${x}`,
    );
  }
}

function headValues(argument: string, value: unknown): ArrayLike<number> {
  const kind = typedArrayName(value);
  if (kind === "Float32Array" || kind === "Float64Array") return value as Float64Array;
  if (isList(value)) {
    for (let h = 0; h < value.length; h++) {
      if (typeof value[h] !== "number") {
        throw new InvalidInputError(argument, "numbers, one a query head", describeValue(value[h]));
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
  checkFloat(argument, value);
  if (value.shape.length !== 1) {
    throw new InvalidInputError(argument, "shape [queryHeads]", `[${value.shape.join(", ")}]`);
  }
  return toFloat64(value);
}

/**
 * Whether a number stays finite where softmax statistics are kept: 1e39 is infinite in a float32
 * problem, whatever computes it.
 */
function isFiniteIn(dtype: FloatDType, value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(roundTo(statisticsDType(dtype), value));
}

function finiteNumber(dtype: FloatDType): string {
  return dtype === "float64" ? "a finite number" : "a number that is finite in float32";
}
