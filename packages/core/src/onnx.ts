/**
 * Operators of ONNX models, with their own names and rules, on any Heed backend: Attention (opsets 23 to
 * 25) of ONNX itself, and GroupQueryAttention and MultiHeadAttention of onnxruntime's domain com.microsoft.
 *
 * @module
 */
export {
  type OnnxAttentionAttributes,
  type OnnxAttentionInputs,
  type OnnxAttentionOptions,
  type OnnxAttentionOutputName,
  type OnnxAttentionOutputs,
  onnxAttention,
} from "./attention/onnx/attention.js";
export type { OnnxIntegers } from "./attention/onnx/call.js";
export type { OnnxGroupQueryAttentionAttributes } from "./attention/onnx/group-query/attributes.js";
export { onnxGroupQueryAttention } from "./attention/onnx/group-query/group-query-attention.js";
export type {
  OnnxGroupQueryAttentionInputs,
  OnnxGroupQueryAttentionOptions,
  OnnxGroupQueryAttentionOutputName,
  OnnxGroupQueryAttentionOutputs,
} from "./attention/onnx/group-query/inputs.js";
export type {
  OnnxMultiHeadAttentionAttributes,
  OnnxMultiHeadAttentionInputs,
  OnnxMultiHeadAttentionOptions,
  OnnxMultiHeadAttentionOutputName,
  OnnxMultiHeadAttentionOutputs,
} from "./attention/onnx/multi-head/inputs.js";
export { onnxMultiHeadAttention } from "./attention/onnx/multi-head/multi-head-attention.js";
