import { describeValue, InvalidInputError } from "../errors.js";
import { readOptions } from "../options.js";
import { frequenciesOf } from "./tables.js";

/** The frequencies that all scalings start from: `theta^(−2i / rotaryDim)`. */
export interface RotaryBase {
  /** Elements of each head vector that are turned: even, ≥ 2. */
  readonly rotaryDim: number;
  /** Base of the frequencies. Finite, > 0. Default 10,000. */
  readonly theta?: number | undefined;
}

/** Options of {@link interpolatedFrequencies}. */
export interface InterpolatedFrequencies extends RotaryBase {
  /** Ratio of the new context length to the trained one. > 0. */
  readonly factor: number;
}

/** Options of {@link ntkFrequencies}. */
export interface NtkFrequencies extends RotaryBase {
  /** Ratio of the new context length to the trained one. > 0. */
  readonly factor: number;
  /** Tokens of the context that the model was trained with; together with `length`: dynamic scaling. */
  readonly originalLength?: number | undefined;
  /** Tokens of the present context. Up to `originalLength`, nothing is scaled. */
  readonly length?: number | undefined;
}

/** Options of {@link llama3Frequencies}; the names in a model's `rope_scaling` stand beside them. */
export interface Llama3Frequencies extends RotaryBase {
  /** `factor`: 8 in Llama 3.1, 32 in Llama 3.2. */
  readonly factor: number;
  /** `low_freq_factor`. Default 1. */
  readonly lowFrequencyFactor?: number | undefined;
  /** `high_freq_factor`, greater than `lowFrequencyFactor`. Default 4. */
  readonly highFrequencyFactor?: number | undefined;
  /** `original_max_position_embeddings`. Default 8,192. */
  readonly originalLength?: number | undefined;
}

/** Options of {@link yarnFrequencies}; the names in a model's `rope_scaling` stand beside them. */
export interface YarnFrequencies extends RotaryBase {
  /** `factor`: ratio of the new context length to the trained one. */
  readonly factor: number;
  /** `original_max_position_embeddings`. */
  readonly originalLength: number;
  /** `beta_fast`: pairs that turn more often within the trained context keep their frequency. Default 32. */
  readonly betaFast?: number | undefined;
  /** `beta_slow`: pairs that turn less often are interpolated. Default 1. */
  readonly betaSlow?: number | undefined;
  /** `truncate`: whether the ends of the ramp between the two are rounded to whole pairs. Default true. */
  readonly truncate?: boolean | undefined;
}

const defaultTheta = 10_000;

/**
 * Inverse frequencies without scaling: `theta^(−2i / rotaryDim)` (RoFormer, arXiv:2104.09864). The same
 * as giving `theta` to the operation `rotary`.
 *
 * @returns `[rotaryDim / 2]`
 * @throws InvalidInputError naming the option
 */
export function rotaryFrequencies(options: RotaryBase): Float64Array {
  return unscaled(baseOf(read(options, ["rotaryDim", "theta"])));
}

/**
 * Position interpolation (Chen et al., 2023, arXiv:2306.15595): all frequencies divided by the factor
 * (`rope_type: "linear"`).
 *
 * @returns `[rotaryDim / 2]`
 * @throws InvalidInputError naming the option
 */
export function interpolatedFrequencies(options: InterpolatedFrequencies): Float64Array {
  const given = read(options, ["rotaryDim", "theta", "factor"]);
  const factor = positive("factor", given.factor);
  return unscaled(baseOf(given)).map((frequency) => frequency / factor);
}

/**
 * NTK-aware scaling: a greater base, `theta · factor^(d / (d − 2))` with d = rotaryDim, which interpolates
 * slow pairs and leaves fast ones (bloc97, 2023; section 3.1 of arXiv:2309.00071). With `originalLength`
 * and `length`, the dynamic form: the factor becomes `factor · length / originalLength − (factor − 1)`, for
 * lengths beyond the trained one.
 *
 * @returns `[rotaryDim / 2]`
 * @throws InvalidInputError naming the option
 */
export function ntkFrequencies(options: NtkFrequencies): Float64Array {
  const given = read(options, ["rotaryDim", "theta", "factor", "originalLength", "length"]);
  const { rotaryDim, theta } = baseOf(given);
  let factor = positive("factor", given.factor);
  if (given.originalLength !== undefined || given.length !== undefined) {
    const trained = positive("originalLength", given.originalLength);
    const length = positive("length", given.length);
    factor = length <= trained ? 1 : (factor * length) / trained - (factor - 1);
  }
  if (rotaryDim === 2) return frequenciesOf(theta, rotaryDim);
  return frequenciesOf(theta * factor ** (rotaryDim / (rotaryDim - 2)), rotaryDim);
}

/**
 * The scaling of Llama 3.1 and later (Grattafiori et al., 2024, arXiv:2407.21783; `rope_type: "llama3"`):
 * pairs whose wavelength is below `originalLength / highFrequencyFactor` keep their frequency, those above
 * `originalLength / lowFrequencyFactor` have it divided by the factor, and those between are blended.
 *
 * @returns `[rotaryDim / 2]`
 * @throws InvalidInputError naming the option
 */
export function llama3Frequencies(options: Llama3Frequencies): Float64Array {
  const given = read(options, [
    "rotaryDim",
    "theta",
    "factor",
    "lowFrequencyFactor",
    "highFrequencyFactor",
    "originalLength",
  ]);
  const factor = positive("factor", given.factor);
  const low = positive("lowFrequencyFactor", given.lowFrequencyFactor ?? 1);
  const high = positive("highFrequencyFactor", given.highFrequencyFactor ?? 4);
  const length = positive("originalLength", given.originalLength ?? 8192);
  if (high <= low) {
    const expected = `a number above lowFrequencyFactor ${low}`;
    throw new InvalidInputError("highFrequencyFactor", expected, describeValue(high));
  }
  return unscaled(baseOf(given)).map((frequency) => {
    const turns = (length * frequency) / (2 * Math.PI);
    const kept = clamp((turns - low) / (high - low));
    return frequency * (kept + (1 - kept) / factor);
  });
}

/**
 * YaRN's frequencies (Peng et al., 2023, arXiv:2309.00071; `rope_type: "yarn"`): pairs are interpolated the
 * more, the fewer times they turn within the trained context. YaRN scales logits as well: see
 * {@link yarnAttentionFactor}.
 *
 * @returns `[rotaryDim / 2]`
 * @throws InvalidInputError naming the option
 */
export function yarnFrequencies(options: YarnFrequencies): Float64Array {
  const given = read(options, [
    "rotaryDim",
    "theta",
    "factor",
    "originalLength",
    "betaFast",
    "betaSlow",
    "truncate",
  ]);
  const { rotaryDim, theta } = baseOf(given);
  const factor = positive("factor", given.factor);
  const length = positive("originalLength", given.originalLength);
  const fast = positive("betaFast", given.betaFast ?? 32);
  const slow = positive("betaSlow", given.betaSlow ?? 1);
  if (theta === 1) throw new InvalidInputError("theta", "a number other than 1", "1");
  if (given.truncate !== undefined && typeof given.truncate !== "boolean") {
    throw new InvalidInputError("truncate", "a boolean", describeValue(given.truncate));
  }
  const whole = given.truncate ?? true;
  // The pair that turns a given number of times within the trained context.
  const pairOf = (turns: number) =>
    (rotaryDim * Math.log(length / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const first = Math.max(whole ? Math.floor(pairOf(fast)) : pairOf(fast), 0);
  const last = Math.min(whole ? Math.ceil(pairOf(slow)) : pairOf(slow), rotaryDim - 1);
  // Published implementations widen an empty ramp in the same way.
  const width = last === first ? 0.001 : last - first;
  return frequenciesOf(theta, rotaryDim).map((frequency, i) => {
    const interpolated = clamp((i - first) / width);
    return frequency * (1 - interpolated + interpolated / factor);
  });
}

/**
 * YaRN's factor √(1/t) = 0.1 · ln(factor) + 1 of queries and of keys (arXiv:2309.00071, section 3.4). Models
 * multiply cosines and sines by it; where whole head vectors are turned, multiplying the `scale` of attention
 * by its square is the same. 1 for factors up to 1.
 *
 * @param factor ratio of the new context length to the trained one
 * @param mscale multiplies the logarithm's coefficient, as `mscale` of DeepSeek's models does. Default 1
 * @throws InvalidInputError
 */
export function yarnAttentionFactor(factor: number, mscale = 1): number {
  positive("factor", factor);
  if (!Number.isFinite(mscale)) {
    throw new InvalidInputError("mscale", "a finite number", describeValue(mscale));
  }
  return factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1;
}

function read<O extends object>(options: O, names: readonly (keyof O & string)[]): Partial<O> {
  if (options === undefined) throw new InvalidInputError("options", "an object", "undefined");
  return readOptions("options", options, new Set(names));
}

function baseOf({ rotaryDim, theta }: Partial<RotaryBase>): { rotaryDim: number; theta: number } {
  if (
    !Number.isInteger(rotaryDim) ||
    (rotaryDim as number) < 2 ||
    (rotaryDim as number) % 2 !== 0
  ) {
    throw new InvalidInputError("rotaryDim", "an even integer ≥ 2", describeValue(rotaryDim));
  }
  return { rotaryDim: rotaryDim as number, theta: positive("theta", theta ?? defaultTheta) };
}

function unscaled({ rotaryDim, theta }: { rotaryDim: number; theta: number }): Float64Array {
  return frequenciesOf(theta, rotaryDim);
}

function positive(argument: string, value: unknown): number {
  if (Number.isFinite(value) && (value as number) > 0) return value as number;
  throw new InvalidInputError(argument, "a finite number > 0", describeValue(value));
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}
