import {
  encodeModel,
  type ModelDType,
  type ModelGraph,
  type ModelValue,
} from "../../model/model.js";
import type { ProviderTraits } from "../../runtime/traits.js";
import { attentionGraph } from "./attention.js";
import { chooseGraph, type GraphKind, type Lengths } from "./choose.js";
import { groupQueryGraph } from "./group-query.js";
import { type LeakSign, leakSign } from "./guard.js";
import { plainGraph } from "./plain.js";
import { type PositionSource, positionInputs } from "./positions.js";
import type { Arithmetic, GraphSpec } from "./spec.js";

/** A graph that is decided on; the model is made when a session is. */
export interface PreparedGraph {
  readonly spec: GraphSpec;
  readonly kind: GraphKind;
  /** The same for equal models. */
  readonly key: string;
  /** Names of its inputs. */
  readonly reads: readonly string[];
  /** Element types of its inputs, by name. */
  readonly types: ReadonlyMap<string, ModelDType>;
  readonly outputs: readonly ModelValue[];
  readonly leakSign: LeakSign;
  /** Kernels that a run launches, before onnxruntime fuses any. */
  readonly nodes: number;
  readonly model: () => Uint8Array;
}

const writers: Readonly<
  Record<GraphKind, (spec: GraphSpec, arithmetic: Arithmetic, source: PositionSource) => ModelGraph>
> = {
  plain: plainGraph,
  operator: attentionGraph,
  "group-query": groupQueryGraph,
};

export function prepareGraph(
  spec: GraphSpec,
  traits: ProviderTraits,
  lengths: Lengths,
): PreparedGraph {
  const kind = chooseGraph(spec, traits, lengths);
  const graph = writers[kind](spec, traits, positionInputs);
  return {
    spec,
    kind,
    key: `${kind} ${JSON.stringify(kind === "group-query" ? spec : withoutRanges(spec))}`,
    reads: graph.inputs.map(({ name }) => name),
    types: new Map(graph.inputs.map(({ name, dtype }) => [name, dtype])),
    outputs: graph.outputs,
    leakSign: leakSign(kind, spec, traits),
    nodes: graph.nodes.length,
    model: () => encodeModel(graph),
  };
}

/**
 * Windows are the host's to work out, but for the operator that has one: others serve every window. So is which
 * side hides keys, where all rows see the same.
 */
function withoutRanges(spec: GraphSpec): GraphSpec {
  const { band } = spec;
  if (band === null) return spec;
  const diagonal = band.diagonal?.keys == null ? band.diagonal : null;
  const ends = band.perRow ? {} : { first: false, last: true };
  return { ...spec, band: { ...band, ...ends, diagonal } };
}
