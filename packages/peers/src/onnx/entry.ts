/**
 * Graphs of attention and their feeds, onnxruntime itself for what makes and times sessions of its own, and its peers.
 *
 * @module
 */
import {
  type AttentionInputs,
  type AttentionProblem,
  bindInputs,
  type HostTensor,
} from "@heed/core";
import { type Feeds, feedsOf, positionFeeds, type TensorClass } from "./feeds.js";
import type { GraphKind } from "./graphs.js";

export { fusedOperator, fusedReasons } from "./fused.js";
export { attentionGraph, type GraphKind } from "./graphs.js";
export { onnxPeer } from "./peer.js";
export { type LoadedRuntime, loadRuntime, type OnnxPlace } from "./runtime.js";

/** Everything that the graph of a problem is fed. */
export function hostFeeds(
  kind: GraphKind,
  Tensor: TensorClass,
  problem: AttentionProblem,
  inputs: AttentionInputs<HostTensor>,
): Feeds {
  const bound = bindInputs(problem, inputs);
  const host = (t: unknown) => t as HostTensor;
  return {
    ...feedsOf(kind, Tensor, problem, { bound, host, form: (t, _name, make) => make(host(t)) }),
    ...positionFeeds(kind, Tensor, problem, bound),
  };
}
