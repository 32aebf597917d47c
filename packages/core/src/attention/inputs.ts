import type { BlockMaskData } from "../program/block-mask.js";
import type { MaskProgram, ScoreProgram } from "../program/program-class.js";
import type { DType, FloatDType, StatisticsDType } from "../tensor/dtype.js";
import type { DeviceTensor, HostTensor, Tensor } from "../tensor/tensor.js";

/** Per-head values: `[queryHeads]`, as a rank-1 host tensor or a plain array. */
export type HeadValues = HostTensor | Float64Array | Float32Array | readonly number[];

/** Integers of a call: one a sequence, `[batch]` unless the batch is ragged. */
export type BatchIntegers = Int32Array | readonly number[];

/** Starts of the sequences of a ragged batch: `[sequences + 1]`, int32 where it is a host tensor. */
export type SequenceStarts = BatchIntegers | HostTensor;

/** Which scores to return: after step 1 (scaled), 2 (capped) or 3 (biased, by `scoreMod` too) of the semantics. */
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
 * at position `p = i + queryOffset[b]` (or `queryPositions[b,i]`), and key j at position `κ = j` (or
 * `keyPositions[b,j]`):
 *
 * 1. `s = scale · ⟨query[b,h,i], key[b,g,j]⟩`
 * 2. with softcap: `s = softcap · tanh(s / softcap)`
 * 3. `s += bias[b,h,i,j]`; `s −= alibiSlopes[h] · |p − κ|`; `s = scoreMod(s, b, h, p, κ)`
 * 4. j is visible iff `j < kvLengths[b]`, `mask[b,h,i,j]`, causal ⇒ `κ ≤ p`,
 *    window ⇒ `p − left ≤ κ ≤ p + right`, the blockMask's block of i and j, `maskMod(b, h, p, κ)`, and
 *    neither `bias[b,h,i,j]` nor s is −∞
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
  /**
   * `[batch, kvHeads, keyLength, headDim]`, or `[pages, kvHeads, pageSize, headDim]` with `pageTable`;
   * queryHeads is a multiple of kvHeads. Of the query's dtype; or float16 under a float32 query; or
   * int8 under a float32 or float16 query, with `keyScales`.
   */
  readonly key: T;
  /** As the key, of its dtype, with rows of valueDim. */
  readonly value: T;
  /**
   * float32, `[batch, kvHeads, keyLength]` or `[pages, kvHeads, pageSize]`; beside int8 keys alone.
   * Element c of a key is `key[…, j, c] · keyScales[…, j]`: symmetric, one scale a token and head.
   */
  readonly keyScales?: T | undefined;
  /** As `keyScales`, for the values. */
  readonly valueScales?: T | undefined;
  /**
   * int32 `[batch, pagesOfOne]` in host memory: the page in which each run of pageSize keys of a
   * sequence lies (PagedAttention; Kwon et al., 2023, arXiv:2309.06180). keyLength is pagesOfOne ·
   * pageSize, and `kvLengths` is required. Entries at or past ⌈length / pageSize⌉ are never read and
   * may hold anything. Sequences may share pages.
   */
  readonly pageTable?: HostTensor | undefined;
  /**
   * Makes the batch ragged: sequences of any lengths lie one after another along the length axis of a
   * batch of 1 (FlashAttention's cu_seqlens_q). The queries of sequence s are the rows
   * `queryStarts[s] ≤ i < queryStarts[s + 1]`; starts begin at 0, never fall and end at the number of
   * rows. A sequence sees its own keys alone, and i, j, positions, lengths and `"bottom-right"` count
   * within it. `queryOffset`, `kvLengths` and `pageTable` have one row a sequence. Needs `keyStarts` or
   * `pageTable`. Masks and biases are 1 along both lengths; neither weights nor scores are returned.
   */
  readonly queryStarts?: SequenceStarts | undefined;
  /** As `queryStarts`, of the keys. With `kvLengths`, the first so many keys of each sequence exist. */
  readonly keyStarts?: SequenceStarts | undefined;
  /**
   * int32 `[batch, queryLength]`, or one row for all, in host memory: the positions p that causal,
   * window and ALiBi compare, in place of `i + queryOffset`; any integers in any order. Without it,
   * beside `keyPositions`, p is i. Lengths, mask and bias go by index as always.
   */
  readonly queryPositions?: HostTensor | undefined;
  /** As `queryPositions`, of the keys: `[batch, keyLength]`, one row a sequence beside `pageTable`. */
  readonly keyPositions?: HostTensor | undefined;
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
  /**
   * A program that says which keys a query sees, made by `maskMod` of `@heed/core/program` (FlexAttention,
   * arXiv:2412.05496). Its `batch` is the number of the sequence; without `queryOffset` and positions, its
   * `query` is the plain index i.
   */
  readonly maskMod?: MaskProgram | undefined;
  /** A program that gives each score a new value, made by `scoreMod`; −∞ hides the key. */
  readonly scoreMod?: ScoreProgram | undefined;
  /**
   * Blocks of queries and keys to look at, by indices: what `createBlockMask` makes, or data. Empty
   * blocks are hidden, and cost nothing. One that `createBlockMask` made brings its program along: with no
   * `maskMod` beside it, the call has that one. Beside `queryStarts`, blocks are counted from the start of each
   * sequence, `[sequences or 1, queryHeads or 1, …]`, and suffice for the longest one: what is left of them is not
   * looked at.
   */
  readonly blockMask?: BlockMaskData | undefined;
  readonly window?: AttentionWindow | undefined;
  /**
   * Position of query row 0 on the key axis; may be negative. `"bottom-right"` is keyLength −
   * queryLength, or `kvLengths[b]` − queryLength. No default where a rule needs positions (causal,
   * window, ALiBi) and queryLength ≠ keyLength or `kvLengths` is given. Not beside `queryPositions` or
   * `keyPositions`.
   */
  readonly queryOffset?: number | "bottom-right" | BatchIntegers | undefined;
  /** `[batch]`, one a sequence, 0 to its number of keys: keys at or past it do not exist. */
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
   * a mask, `causal` or `window` hide the key. 0 at keys that `kvLengths` says do not exist.
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
