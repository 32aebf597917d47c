/**
 * Multi-head attention as a layer, on any backend: projections, grouped heads, rotary embedding, norms, caches,
 * and weights as PyTorch saves them.
 *
 * @module
 */

export {
  interpolatedFrequencies,
  llama3Frequencies,
  ntkFrequencies,
  rotaryFrequencies,
  yarnAttentionFactor,
  yarnFrequencies,
} from "@heed/core";
export type { CachedInputs, LayerCache } from "./cache.js";
export {
  fromTorch,
  fromTorchInputs,
  type TorchInputs,
  type TorchOptions,
  type TorchStateDict,
} from "./from-torch.js";
export type { LayerInputs, LayerOutputs, LayerReturns } from "./inputs.js";
export { type MultiHeadAttention, multiHeadAttention } from "./multi-head-attention.js";
export type {
  ExtraKeys,
  HeadNorm,
  LayerRotary,
  LayerWeights,
  Linear,
  MultiHeadAttentionOptions,
} from "./options.js";
