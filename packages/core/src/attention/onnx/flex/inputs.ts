import type { HostTensor, Tensor } from "../../../tensor/tensor.js";
import type { OnnxGraphJson } from "./json.js";

/** The inputs of ai.onnx.preview's FlexAttention, by its own names; all of rank 4. */
export interface OnnxFlexAttentionInputs<T extends Tensor = Tensor> {
  /** `[batch, q_heads, q_length, head_size]`. */
  readonly Q: T;
  /** `[batch, kv_heads, kv_length, head_size]`; kv_heads divides q_heads. */
  readonly K: T;
  /** `[batch, kv_heads, kv_length, v_head_size]`. */
  readonly V: T;
}

/**
 * The operator's attributes, by its own names, with its own defaults. A graph has one input of one of two forms: all
 * scores, `[batch, q_heads, q_length, kv_length]`, of which its output has the shape; or a single score, followed by
 * the scalars batch, head, query and key index, with a single number as output.
 */
export interface OnnxFlexAttentionAttributes {
  /** Default 1/√head_size. */
  readonly scale?: number | undefined;
  /**
   * An element type of TensorProto: 1 float, 10 float16, 11 double, 16 bfloat16. Accepted only as a hint: softmax
   * statistics are float32 at least, float64 for float64 inputs.
   */
  readonly softmax_precision?: number | undefined;
  /** Gives each score, scaled, a new value; −∞ hides the key. */
  readonly score_mod?: OnnxGraphJson | undefined;
  /**
   * After score_mod: which keys a query sees, as bools, from the indices alone or from the scores; or scores with −∞
   * where a key is hidden.
   */
  readonly mask_mod?: OnnxGraphJson | undefined;
  /**
   * Gives each weight a new value, after the softmax. It needs all weights in host memory, q_length × kv_length for each
   * head, and inputs that are there.
   */
  readonly prob_mod?: OnnxGraphJson | undefined;
}

/** The operator's output, by its own name. */
export interface OnnxFlexAttentionOutputs<T extends Tensor = HostTensor> {
  /** `[batch, q_heads, q_length, v_head_size]`; on the device where the inputs are. */
  readonly Y: T;
}
