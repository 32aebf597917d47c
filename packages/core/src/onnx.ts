/**
 * The ONNX operator Attention (opsets 23 to 25), with its own names and rules, on any Heed backend.
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
