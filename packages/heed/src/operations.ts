/**
 * The operations, for `attention.apply`, and what stands around their calls. Apart from `heed` itself, so
 * that an application without them does not load them at once.
 *
 * @module
 */
export {
  type AttentionProblem,
  attention,
  describeProblem,
  type MergeInputs,
  type MergeOutputs,
  merge,
  mergePartials,
  type PartialAttention,
  type Problem,
  type ProjectionInputs,
  type ProjectionOutputs,
  projection,
  type RotaryInputs,
  type RotaryOutputs,
  rmsNorm,
  rotary,
  type ScatterInputs,
  type ScatterOutputs,
  scatter,
} from "@heed/core";
