import type { BatchIntegers } from "../attention/inputs.js";
import type { HostTensor, Tensor } from "../tensor/tensor.js";

/**
 * One call of rotary position embedding (RoFormer, Su et al., 2021, arXiv:2104.09864; ONNX
 * RotaryEmbedding-23): each head vector x at position p is turned, pair by pair, by angles
 * φ_i = p · inverseFrequencies[i], for i from 0 to rotaryDim/2 − 1:
 *
 * - `y[a] = x[a] · cos φ_i − x[b] · sin φ_i`
 * - `y[b] = x[b] · cos φ_i + x[a] · sin φ_i`
 *
 * with the pair (a, b) = (i, i + rotaryDim/2), or (2i, 2i + 1) if `interleaved`. Elements from
 * `rotaryDim` on stay as they are.
 *
 * Cosines and sines come from exactly one source: the tables `cos` and `sin`, `theta`, or
 * `inverseFrequencies`. Those that are computed here are evaluated in float64 and rounded once, to
 * float32, or to float64 for a float64 input.
 */
export interface RotaryInputs<T extends Tensor = Tensor> {
  /** `[batch, heads, length, headDim]`, float64, float32 or float16. */
  readonly input: T;
  /**
   * Position of each token: int32 `[batch, length]`, or `[length]` for every batch. Default: `offset`
   * + 0, 1, 2, …
   */
  readonly positions?: HostTensor | Int32Array | undefined;
  /** Position of the first token, for all batches or one a batch. Default 0. Not beside `positions`. */
  readonly offset?: number | BatchIntegers | undefined;
  /**
   * Cosines, of the input's dtype or float32: a table `[maxPosition, rotaryDim / 2]`, looked up by
   * position, or one row a token, `[batch, length, rotaryDim / 2]`, without `positions` and `offset`.
   */
  readonly cos?: T | undefined;
  /** Sines; shape and dtype of `cos`. */
  readonly sin?: T | undefined;
  /** Base of the frequencies: `inverseFrequencies[i] = theta^(−2i / rotaryDim)`. Finite, > 0. */
  readonly theta?: number | undefined;
  /** `[rotaryDim / 2]`, finite: NTK, YaRN and Llama-3 scalings are given in this way. */
  readonly inverseFrequencies?: Float64Array | Float32Array | readonly number[] | undefined;
  /** Elements of each head vector that are turned: even, from 2 to headDim, the default. */
  readonly rotaryDim?: number | undefined;
  /** Pairs are neighbours, as in GPT-J, instead of halves, as in GPT-NeoX and Llama. Default false. */
  readonly interleaved?: boolean | undefined;
}

/** The result of {@link RotaryInputs}. */
export interface RotaryOutputs<T extends Tensor = Tensor> {
  /** `[batch, heads, length, headDim]`, of the input's dtype. */
  readonly output: T;
}
