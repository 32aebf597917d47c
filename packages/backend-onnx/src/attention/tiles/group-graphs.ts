import type { AttentionProblem, FloatDType, KvDType } from "@heed/core";
import type { ProviderTraits } from "../../runtime/traits.js";
import { chooseGraph } from "../graph/choose.js";
import { type PreparedGraph, prepareGraph } from "../graph/prepare.js";
import { canonicalOrders, graphSpec, type HiddenGuard } from "../graph/spec.js";
import type { StorageSpec } from "../graph/storage.js";
import { convertedDType } from "../stored/schedule.js";
import type { Shape } from "./call.js";
import type { GroupArrays } from "./group-feeds.js";
import type { VisitGroup } from "./groups.js";

/** A group as a problem of its own, and its graph. */
export interface GroupGraph {
  readonly problem: AttentionProblem;
  readonly graph: PreparedGraph;
}

/** The graphs of a problem's groups, which differ in the rules that their visits need. */
export class GroupGraphs {
  /** Element type in which the host gives query, keys and values to the graphs. */
  readonly dtype: FloatDType;
  readonly #problem: AttentionProblem;
  readonly #traits: ProviderTraits;
  readonly #known = new Map<string, PreparedGraph>();
  /** By group, whose calls hide keys in the same way. */
  #ofGroups = new WeakMap<VisitGroup, Map<string, GroupGraph>>();

  constructor(problem: AttentionProblem, traits: ProviderTraits) {
    this.dtype = convertedDType(problem, traits);
    this.#problem = problem;
    this.#traits = { ...traits, float16: this.dtype === "float16" };
  }

  /** @param far whether positions of ALiBi are given in two parts */
  of(group: VisitGroup, arrays: GroupArrays, guard: HiddenGuard, far: boolean): GroupGraph {
    let graphs = this.#ofGroups.get(group);
    if (!graphs) {
      graphs = new Map();
      this.#ofGroups.set(group, graphs);
    }
    const key = arrays.blocks ? `${guard}, blocks` : guard;
    let graph = graphs.get(key);
    if (!graph) {
      graph = this.#made(group, arrays, guard, far);
      graphs.set(key, graph);
    }
    return graph;
  }

  #made(group: VisitGroup, arrays: GroupArrays, guard: HiddenGuard, far: boolean): GroupGraph {
    const problem = withinGroup(this.#problem, group, arrays);
    const traits = this.#traits;
    const positions = { band: null, guard, far };
    const storage = arrays.blocks && ofBlocks(this.dtype);
    const spec = graphSpec(problem, traits, positions, canonicalOrders, storage, true);
    const { mask, bias, chunks } = spec;
    const key = JSON.stringify([
      storage,
      mask,
      bias,
      chunks,
      guard,
      far,
      chooseGraph(spec, traits, problem),
    ]);
    let graph = this.#known.get(key);
    if (!graph) {
      graph = prepareGraph(spec, traits, problem);
      this.#known.set(key, graph);
    }
    return { problem, graph };
  }

  clear(): void {
    this.#known.clear();
    this.#ofGroups = new WeakMap();
  }
}

/** Keys and values of which a graph gathers blocks, as it does pages. */
function ofBlocks(dtype: FloatDType): StorageSpec {
  return {
    queries: "whole",
    keys: "pages",
    dtype: dtype as KvDType,
    scalesRows: false,
    convertsFirst: false,
    masksInPart: false,
    parts: 1,
    pool: null,
  };
}

/** The problem of a group: its rules for keys are a mask. */
function withinGroup(
  problem: AttentionProblem,
  { visits, heads, rows, keys }: VisitGroup,
  { mask, bias }: GroupArrays,
): AttentionProblem {
  return {
    ...problem,
    batch: visits.length,
    sequences: visits.length,
    queryHeads: heads.queries,
    kvHeads: heads.keys,
    queryLength: rows,
    keyLength: keys,
    kvDtype: problem.dtype,
    pages: null,
    ragged: null,
    causal: false,
    window: null,
    maskMod: null,
    blockMask: null,
    kvLengths: false,
    mask: mask && { dtype: "bool", shape: withEntries(mask.shape) },
    bias: bias && { dtype: bias.dtype, shape: withEntries(bias.shape) },
  };
}

/** A shape by which groups of one visit have the graphs of larger ones. */
function withEntries([, heads, rows, keys]: Shape): Shape {
  return [2, heads, rows, keys];
}
