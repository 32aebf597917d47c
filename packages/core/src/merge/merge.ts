import { describeValue, InvalidInputError } from "../errors.js";
import { type FloatDType, isFloatDType, statisticsDType } from "../tensor/dtype.js";
import { checkTensor, elementCount, type HostTensor, isDeviceTensor } from "../tensor/tensor.js";
import { fromFloat64, toFloat64 } from "../tensor/values.js";

/** Attention over some of the keys: an output normalised on its own, and its log-sum-exp. */
export interface PartialAttention {
  /** `[…, valueDim]`, of a float dtype; 0 in rows that saw no key. */
  readonly output: HostTensor;
  /** `[…]`: the output's shape without its last axis; −∞ in rows that saw no key. */
  readonly logSumExp: HostTensor;
}

/**
 * Attention over a union of disjoint sets of keys from attention over each of them: with
 * `w_p = exp(lse_p − lse)`, `output = Σ w_p · output_p` and `lse = ln Σ exp(lse_p)` (Rabe & Staats,
 * 2021, arXiv:2112.05682; FlashInfer calls it merging attention states). The order of the parts does
 * not matter beyond rounding. A sink belongs into exactly one part.
 *
 * @param parts at least one; all of one shape and dtype
 * @returns the output in the parts' dtype, the log-sum-exp in float32, or float64 for float64 parts;
 *   computed in float64
 * @throws InvalidInputError naming the part at fault
 */
export function mergePartials(parts: readonly PartialAttention[]): PartialAttention {
  if (!Array.isArray(parts) || parts.length === 0) {
    throw new InvalidInputError("parts", "at least one partial result", describeValue(parts));
  }
  const { shape, dtype } = checkParts(parts);
  const valueDim = shape.at(-1) as number;
  const rows = elementCount(shape.slice(0, -1));
  const lses = parts.map((part) => toFloat64(part.logSumExp));
  const outputs = parts.map((part) => toFloat64(part.output));

  const output = new Float64Array(rows * valueDim);
  const logSumExp = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    let max = Number.NEGATIVE_INFINITY;
    for (const lse of lses) max = Math.max(max, lse[row] as number);
    logSumExp[row] = max;
    if (max === Number.NEGATIVE_INFINITY) continue;
    let sum = 0;
    for (const lse of lses) sum += Math.exp((lse[row] as number) - max);
    logSumExp[row] = max + Math.log(sum);
    for (let p = 0; p < parts.length; p++) {
      const weight = Math.exp(((lses[p] as Float64Array)[row] as number) - max) / sum;
      // A part that saw no key contributes nothing, whatever its buffer holds.
      if (weight === 0) continue;
      const from = outputs[p] as Float64Array;
      for (let at = row * valueDim; at < (row + 1) * valueDim; at++) {
        (output[at] as number) += weight * (from[at] as number);
      }
    }
  }
  return {
    output: fromFloat64(output, shape, dtype),
    logSumExp: fromFloat64(logSumExp, shape.slice(0, -1), statisticsDType(dtype)),
  };
}

function checkParts(parts: readonly PartialAttention[]): {
  readonly shape: readonly number[];
  readonly dtype: FloatDType;
} {
  let first: HostTensor | null = null;
  for (const [p, part] of parts.entries()) {
    const output = hostTensor(`parts[${p}].output`, part?.output);
    const logSumExp = hostTensor(`parts[${p}].logSumExp`, part.logSumExp);
    first ??= output;
    if (output.shape.length < 1 || !sameShape(output.shape, first.shape)) {
      throw new InvalidInputError(
        `parts[${p}].output`,
        output === first ? "at least one axis" : `the first part's shape ${show(first.shape)}`,
        show(output.shape),
      );
    }
    if (!isFloatDType(output.dtype) || output.dtype !== first.dtype) {
      throw new InvalidInputError(
        `parts[${p}].output`,
        output === first ? "dtype float64, float32 or float16" : `dtype ${first.dtype}`,
        output.dtype,
      );
    }
    if (!isFloatDType(logSumExp.dtype)) {
      throw new InvalidInputError(
        `parts[${p}].logSumExp`,
        "dtype float64, float32 or float16",
        logSumExp.dtype,
      );
    }
    const rows = output.shape.slice(0, -1);
    if (!sameShape(logSumExp.shape, rows)) {
      throw new InvalidInputError(
        `parts[${p}].logSumExp`,
        `the output's shape without its last axis, ${show(rows)}`,
        show(logSumExp.shape),
      );
    }
  }
  const { shape, dtype } = first as HostTensor;
  return { shape, dtype: dtype as FloatDType };
}

function hostTensor(argument: string, t: unknown): HostTensor {
  checkTensor(argument, t);
  if (isDeviceTensor(t)) {
    throw new InvalidInputError(argument, "a host tensor", `a tensor of backend ${t.backend}`);
  }
  return t;
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}

function show(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}
