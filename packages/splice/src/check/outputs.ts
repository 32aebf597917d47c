import { elementsOf } from "../feeds/npz.js";
import type { OnnxTensor } from "../spliced-model.js";

/** How far an output is from the unspliced model's. */
export interface OutputCheck {
  readonly name: string;
  readonly type: string;
  readonly dims: readonly number[];
  /** Largest number of the unspliced model's output. */
  readonly largest: number;
  /** Largest difference between the spliced and the unspliced model. */
  readonly difference: number;
  /**
   * Error of the spliced model over what it may be; at most 1 passes. As in the conformance suite, an error is the
   * distance from the same model with its sites in float64, and it may be twice that of a naive evaluation in the
   * model's own types, which the unspliced model is, and 8 roundings of the largest number.
   */
  readonly budgets: number;
}

const roundoff: Readonly<Record<string, number>> = {
  float64: 2 ** -53,
  float32: 2 ** -24,
  float16: 2 ** -11,
};

/**
 * @param spliced the output of the spliced model
 * @param own the same of the unspliced model
 * @param exact the same with the sites in float64
 */
export function checkOutput(
  name: string,
  spliced: OnnxTensor,
  own: OnnxTensor,
  exact: OnnxTensor,
): OutputCheck {
  const same = spliced.type === own.type && spliced.dims.join() === own.dims.join();
  const [a, b, truth] = [spliced, own, exact].map(elementsOf) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const largest = b.reduce((most, one) => Math.max(most, finite(Math.abs(one))), 0);
  const allowed = 2 * distance(b, truth) + 8 * (roundoff[own.type] ?? 0) * largest;
  const error = same ? distance(a, truth) : Number.POSITIVE_INFINITY;
  return {
    name,
    type: spliced.type,
    dims: spliced.dims,
    largest,
    difference: same ? distance(a, b) : Number.POSITIVE_INFINITY,
    budgets: error === 0 ? 0 : error / allowed,
  };
}

function finite(value: number): number {
  return Number.isFinite(value) ? value : 0;
}

/** Largest difference of elements; infinite where one is NaN or infinite and the other another number. */
function distance(a: Float64Array, b: Float64Array): number {
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as number, b[i] as number];
    if (Object.is(x, y) || x === y) continue;
    const between = Math.abs(x - y);
    largest = Math.max(largest, Number.isNaN(between) ? Number.POSITIVE_INFINITY : between);
  }
  return largest;
}
