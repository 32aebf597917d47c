import type { DType, FloatDType, StatisticsDType } from "../tensor/dtype.js";
import type { DeviceTensor, HostTensor, Tensor } from "../tensor/tensor.js";

/** Per-head values: `[queryHeads]`, as a rank-1 host tensor or a plain array. */
export type HeadValues = HostTensor | Float64Array | Float32Array | readonly number[];

/** Per-batch integers: `[batch]`. */
export type BatchIntegers = Int32Array | readonly number[];

/** Which scores to return: after step 1 (scaled), 2 (capped) or 3 (biased) of the semantics. */
export type ScoresKind = "raw" | "capped" | "biased";

/** A sliding window around each query's position; both ends inclusive; left out is unbounded. */
export interface AttentionWindow {
  /** Keys `j ≥ p − left` are visible. An integer ≥ 0. */
  readonly left?: number | undefined;
  /** Keys `j ≤ p + right` are visible. An integer ≥ 0. */
  readonly right?: number | undefined;
}

/**
 * One call of attention. For batch b, query head h with key head `g = floor(h·Hkv/Hq)`, query row i
 * at position `p = i + queryOffset[b]`, and key j:
 *
 * 1. `s = scale · ⟨query[b,h,i], key[b,g,j]⟩`
 * 2. with softcap: `s = softcap · tanh(s / softcap)`
 * 3. `s += bias[b,h,i,j]`; `s −= alibiSlopes[h] · |p − j|`
 * 4. j is visible iff `j < kvLengths[b]`, `mask[b,h,i,j]`, causal ⇒ `j ≤ p`,
 *    window ⇒ `p − left ≤ j ≤ p + right`, and neither `bias[b,h,i,j]` nor s is −∞
 * 5. `weights = exp(s − m) / (Σ_visible exp(s − m) + exp(sinks[h] − m))`, 0 where not visible
 * 6. `output = Σ weights · value`; `logSumExp = m + ln(denominator)`
 *
 * A row without a visible key has output 0, weights 0, and log-sum-exp −∞ or its sink.
 *
 * A row with a visible key whose s is NaN or +∞ is NaN: its output, its log-sum-exp and its weights of
 * visible keys, as in NumPy, PyTorch and JAX. This holds on a device that calls itself "CPU"; on others
 * such a row may hold any value, and only such a row. A product that leaves float32's range may be
 * computed as the infinity that it is there, or exactly, if a backend computes in more precision.
 *
 * Hidden keys have no influence: whatever the key, the value and the bias of a hidden key hold, NaN and
 * infinities included, the row's output, log-sum-exp and weights stay the same.
 */
export interface AttentionInputs<
  T extends Tensor = Tensor,
  Query extends T = T,
  Returns extends AttentionReturns = AttentionReturns,
> {
  /** `[batch, queryHeads, queryLength, headDim]`, float64, float32 or float16. */
  readonly query: Query;
  /** `[batch, kvHeads, keyLength, headDim]`, of the query's dtype; queryHeads is a multiple of kvHeads. */
  readonly key: T;
  /** `[batch, kvHeads, keyLength, valueDim]`, of the query's dtype. */
  readonly value: T;
  /**
   * bool, true = attend. Rank 1 to 4, right-aligned numpy broadcasting to
   * `[batch, queryHeads, queryLength, keyLength]`. Rank 2 is `[queryLength, keyLength]`, also where
   * the batch happens to be as large as queryLength: a padding mask of each sequence is
   * `[batch, 1, 1, keyLength]`, which `paddingMask` makes.
   */
  readonly mask?: T | undefined;
  /** Added to the logits; the query's dtype or float32; broadcast like `mask`; −∞ hides a key. */
  readonly bias?: T | undefined;
  /** Hide keys after the query's position. Default false. */
  readonly causal?: boolean | undefined;
  readonly window?: AttentionWindow | undefined;
  /**
   * Position of query row 0 on the key axis; may be negative. `"bottom-right"` is keyLength −
   * queryLength, or `kvLengths[b]` − queryLength. No default where a rule needs positions (causal,
   * window, ALiBi) and queryLength ≠ keyLength or `kvLengths` is given.
   */
  readonly queryOffset?: number | "bottom-right" | BatchIntegers | undefined;
  /** `[batch]`, 0 to keyLength: keys at or past it do not exist. */
  readonly kvLengths?: BatchIntegers | undefined;
  /** ALiBi slopes (Press et al., 2021, arXiv:2108.12409). Finite. */
  readonly alibiSlopes?: HeadValues | undefined;
  /** One more logit in the denominator, without a value; neither scaled nor capped. −∞ is no sink. */
  readonly sinks?: HeadValues | undefined;
  /** Factor of the dot products. Default 1/√headDim. */
  readonly scale?: number | undefined;
  /** Bound of the logits (Gemma 2, arXiv:2408.00118), > 0. Left out or 0: no cap. */
  readonly softcap?: number | undefined;
  /** Further results to return beside the output. */
  readonly returns?: Returns | undefined;
}

export interface AttentionReturns {
  readonly logSumExp?: boolean | undefined;
  readonly weights?: boolean | undefined;
  readonly scores?: ScoresKind | undefined;
}

/** The outputs of a run. All tensors are row-major and belong to the caller. */
export interface AttentionOutputs<T extends Tensor = Tensor> {
  /** `[batch, queryHeads, queryLength, valueDim]`, of the query's dtype. */
  readonly output: T;
  /** Natural logarithm; `[batch, queryHeads, queryLength]`; float32, or float64 for float64 inputs. */
  readonly logSumExp?: T;
  /** `[batch, queryHeads, queryLength, keyLength]`, of the query's dtype. */
  readonly weights?: T;
  /**
   * `[batch, queryHeads, queryLength, keyLength]`, of the query's dtype. Unmasked: also where
   * `mask`, `causal` or `window` hide the key. 0 at keys that `kvLengths` says do not exist.
   */
  readonly scores?: T;
}

/**
 * {@link AttentionOutputs}, typed by the call: members that `returns` asks for are present, and tensors
 * have the dtype that follows from the query's.
 */
export type AttentionOutputsOf<
  T extends Tensor,
  D extends DType,
  Returns extends AttentionReturns,
> = { readonly output: TensorOf<T, D> } & Returned<
  "logSumExp",
  Returns,
  TensorOf<T, StatisticsDType<Extract<D, FloatDType>>>
> &
  Returned<"weights", Returns, TensorOf<T, D>> &
  Returned<"scores", Returns, TensorOf<T, D>>;

/** A tensor of dtype D: in host memory if T is, otherwise on a device. */
type TensorOf<T extends Tensor, D extends DType> = T extends HostTensor
  ? HostTensor<D>
  : DeviceTensor<D>;

/** An output that is present if `returns` asks for it with a value known at compile time; else optional. */
type Returned<
  Name extends keyof AttentionReturns,
  Returns extends AttentionReturns,
  Output,
> = Returns[Name] extends true | ScoresKind
  ? { readonly [Key in Name]: Output }
  : { readonly [Key in Name]?: Output };
