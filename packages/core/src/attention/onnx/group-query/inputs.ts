import type { HostTensor, Tensor } from "../../../tensor/tensor.js";
import type { OnnxIntegers } from "../call.js";

/**
 * The inputs of com.microsoft.GroupQueryAttention, by its own names.
 *
 * @typeParam T device tensors, for a call in a backend's memory
 * @typeParam Past as `T`; or device tensors beside a query in host memory, where `sharedBuffer` keeps the past in a
 *   backend's memory
 */
export interface OnnxGroupQueryAttentionInputs<
  T extends Tensor = HostTensor,
  Past extends Tensor = T,
> {
  /**
   * `[batch, sequence_length, num_heads·head_size]`, or without `key` and `value` packed:
   * `[batch, sequence_length, (num_heads + 2·kv_num_heads)·head_size]`.
   */
  readonly query: T;
  /**
   * `[batch, kv_sequence_length, kv_num_heads·head_size]`. As many tokens as the query has, or none: the
   * past then holds all keys already.
   */
  readonly key?: T | undefined;
  /** Shape of `key`. */
  readonly value?: T | undefined;
  /**
   * `[batch, kv_num_heads, rows, head_size]`. Entry b holds `seqlens_k[b]` + 1 − sequence_length rows of
   * the past; what lies beyond is not read. As many rows as tokens that the longest entry will have, or
   * more, make present outputs of the same size. With `sharedBuffer` it may be in a backend's memory, where it stays.
   */
  readonly past_key?: Past | undefined;
  /** Shape of `past_key`, and where that is. */
  readonly past_value?: Past | undefined;
  /** `[batch]`: tokens of each entry with those of this call, less 1. */
  readonly seqlens_k: OnnxIntegers;
  /** Most tokens of any entry, those of this call included. */
  readonly total_sequence_length: OnnxIntegers | number;
  /** `[max_sequence_length, rotary_dim / 2]`, with `do_rotary`. */
  readonly cos_cache?: T | HostTensor | undefined;
  /** Shape of `cos_cache`. */
  readonly sin_cache?: T | HostTensor | undefined;
  /**
   * `[batch, sequence_length]`: rows of the caches. Default: the tokens' own positions. The first call of its
   * sequences reads the first element alone, and counts on from it.
   */
  readonly position_ids?: OnnxIntegers | undefined;
  /** `[batch or 1, num_heads or 1, sequence_length, total_sequence_length]`, added to the logits. */
  readonly attention_bias?: HostTensor | undefined;
  /** `[num_heads]`: one more logit of each head in the denominator. Not with `smooth_softmax`. */
  readonly head_sink?: HostTensor | undefined;
  /** Refused: scales of a quantised cache. */
  readonly k_scale?: undefined;
  /** Refused: scales of a quantised cache. */
  readonly v_scale?: undefined;
  /** `[head_size]`: queries are normalised by their root mean square, before they are turned. */
  readonly q_norm_weight?: T | HostTensor | undefined;
  /** `[head_size]`, together with `q_norm_weight`: the same of new keys. */
  readonly k_norm_weight?: T | HostTensor | undefined;
}

export type OnnxGroupQueryAttentionOutputName =
  | "output"
  | "present_key"
  | "present_value"
  | "output_qk";

/** The operator's outputs, by its own names. */
export interface OnnxGroupQueryAttentionOutputs<
  T extends Tensor = HostTensor,
  Past extends Tensor = T,
> {
  /** `[batch, sequence_length, num_heads·head_size]`, in the memory of the query. */
  readonly output: T;
  /**
   * `[batch, kv_num_heads, rows, head_size]`, with the larger of total_sequence_length and the past's rows.
   * Rows beyond an entry's tokens are 0; in a shared buffer they keep what they held.
   */
  readonly present_key?: Past;
  /** As `present_key`. */
  readonly present_value?: Past;
  /** `[batch, num_heads, sequence_length, total_sequence_length]`, with `qk_output`; not of a call on a device. */
  readonly output_qk?: HostTensor;
}

export interface OnnxGroupQueryAttentionOptions {
  /** The outputs wanted. Default all that the attributes allow. */
  readonly outputs?: readonly OnnxGroupQueryAttentionOutputName[] | undefined;
  /**
   * Whether past and present share a buffer: new rows are written into `past_key` and `past_value`, which
   * must have room for them, and these very tensors are the present. They may be in a backend's memory, which
   * then computes, and from which only `output` is read if the query is in host memory. Default false: present tensors are
   * new, and the past is copied.
   */
  readonly sharedBuffer?: boolean | undefined;
}
