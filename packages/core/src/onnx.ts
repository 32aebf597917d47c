/**
 * Operators of ONNX models, with their own names and rules, on any Heed backend: Attention (opsets 23 to
 * 25) and FlexAttention (ai.onnx.preview) of ONNX itself, and GroupQueryAttention and MultiHeadAttention of onnxruntime's domain com.microsoft.
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
export { onnxFlexAttention } from "./attention/onnx/flex/flex-attention.js";
export type {
  OnnxFlexAttentionAttributes,
  OnnxFlexAttentionInputs,
  OnnxFlexAttentionOutputs,
} from "./attention/onnx/flex/inputs.js";
export type {
  OnnxElementType,
  OnnxGraphJson,
  OnnxNodeJson,
  OnnxNumber,
  OnnxTensorJson,
  OnnxValueJson,
} from "./attention/onnx/flex/json.js";
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
