import type { HostTensor, Tensor } from "../../../tensor/tensor.js";
import type { OnnxIntegers } from "../call.js";

/**
 * The inputs of com.microsoft.MultiHeadAttention, by its own names.
 *
 * @typeParam T device tensors, for a call in a backend's memory
 * @typeParam Past as `T`; or device tensors beside a query in host memory, where `past_sequence_length` says that the
 *   past shares its buffer with the present
 */
export interface OnnxMultiHeadAttentionInputs<
  T extends Tensor = HostTensor,
  Past extends Tensor = T,
> {
  /**
   * `[batch, sequence_length, hidden_size]`; or queries, keys and values packed, without `key` and `value`:
   * `[batch, sequence_length, num_heads, 3, head_size]`.
   */
  readonly query: T;
  /**
   * `[batch, kv_sequence_length, hidden_size]`; or keys and values packed, without `value`:
   * `[batch, kv_sequence_length, num_heads, 2, head_size]`; or keys that were projected before, as in
   * cross-attention: `[batch, num_heads, kv_sequence_length, head_size]`.
   */
  readonly key?: T | undefined;
  /** `[batch, kv_sequence_length, v_hidden_size]`, or `[batch, num_heads, kv_sequence_length, v_head_size]`. */
  readonly value?: T | undefined;
  /** `[hidden_size + hidden_size + v_hidden_size]`, added to queries, keys and values. Not beside a query on a device. */
  readonly bias?: HostTensor | undefined;
  /**
   * int32. `[batch]`: keys of each entry. `[3·batch + 2]`: the same, then the starts of each entry's queries
   * and of its keys, which must be those of a padded batch. `[batch, kv_sequence_length]` without a past,
   * `[batch, total_sequence_length]` or `[batch, sequence_length, total_sequence_length]`: 0 hides a key.
   */
  readonly key_padding_mask?: HostTensor | undefined;
  /** `[batch or 1, num_heads or 1, sequence_length, total_sequence_length]`, added to the logits. */
  readonly attention_bias?: HostTensor | undefined;
  /** `[batch, num_heads, past_sequence_length, head_size]`. */
  readonly past_key?: Past | undefined;
  /** `[batch, num_heads, past_sequence_length, v_head_size]`. */
  readonly past_value?: Past | undefined;
  /**
   * How many rows of the past are filled, where past and present share a buffer: new rows are then written
   * into `past_key` and `past_value`, which must have room for them, and these very tensors are the present.
   * They may be in a backend's memory, which then computes, and from which only `output` is read if the query is in
   * host memory.
   */
  readonly past_sequence_length?: OnnxIntegers | number | undefined;
  /** Refused: beams whose caches are not reordered. */
  readonly cache_indirection?: undefined;
}

/** The attributes of com.microsoft.MultiHeadAttention, by its own names, with its own defaults. */
export interface OnnxMultiHeadAttentionAttributes {
  readonly num_heads: number;
  /** Added to the logits of keys that `key_padding_mask` hides. Default −10,000. */
  readonly mask_filter_value?: number | undefined;
  /** Default, and 0: 1/√head_size. */
  readonly scale?: number | undefined;
  /** 1: a query sees keys up to its own. Default 0. */
  readonly unidirectional?: number | undefined;
}

export type OnnxMultiHeadAttentionOutputName = "output" | "present_key" | "present_value" | "qk";

/** The operator's outputs, by its own names. */
export interface OnnxMultiHeadAttentionOutputs<
  T extends Tensor = HostTensor,
  Past extends Tensor = T,
> {
  /** `[batch, sequence_length, v_hidden_size]`, in the memory of the query. */
  readonly output: T;
  /** `[batch, num_heads, total_sequence_length, head_size]`, or the shared buffer. */
  readonly present_key?: Past;
  /** `[batch, num_heads, total_sequence_length, v_head_size]`, or the shared buffer. */
  readonly present_value?: Past;
  /** `[batch, num_heads, sequence_length, total_sequence_length]`: the logits, masks added; not of a call on a device. */
  readonly qk?: HostTensor;
}

export interface OnnxMultiHeadAttentionOptions {
  /** The outputs wanted. Default output, present_key and present_value. */
  readonly outputs?: readonly OnnxMultiHeadAttentionOutputName[] | undefined;
}
