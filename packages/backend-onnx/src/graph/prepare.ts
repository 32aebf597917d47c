import { encodeModel, type ModelValue } from "../model/model.js";
import type { ProviderTraits } from "../traits.js";
import { attentionGraph } from "./attention.js";
import { chooseGraph, type GraphKind } from "./choose.js";
import { type LeakSign, leakSign } from "./guard.js";
import { plainGraph } from "./plain.js";
import { positionInputs } from "./positions.js";
import type { GraphSpec } from "./spec.js";

/** A graph that is decided on; the model is made when a session is. */
export interface PreparedGraph {
  readonly spec: GraphSpec;
  readonly kind: GraphKind;
  /** The same for equal models. */
  readonly key: string;
  /** Names of its inputs. */
  readonly reads: readonly string[];
  readonly outputs: readonly ModelValue[];
  readonly leakSign: LeakSign;
  /** Kernels that a run launches, before onnxruntime fuses any. */
  readonly nodes: number;
  readonly model: () => Uint8Array;
}

export function prepareGraph(
  spec: GraphSpec,
  traits: ProviderTraits,
  queryLength: number,
): PreparedGraph {
  const kind = chooseGraph(spec, traits, queryLength);
  const write = kind === "attention" ? attentionGraph : plainGraph;
  const graph = write(spec, traits, positionInputs);
  return {
    spec,
    kind,
    key: `${kind} ${JSON.stringify(spec)}`,
    reads: graph.inputs.map(({ name }) => name),
    outputs: graph.outputs,
    leakSign: leakSign(spec, traits),
    nodes: graph.nodes.length,
    model: () => encodeModel(graph),
  };
}
