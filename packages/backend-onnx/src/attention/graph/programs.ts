import { dependence, dependencesOf, type ProgramForm, variablesOf } from "@heed/core/program";
import type { GraphBuilder, Value } from "../../model/builder.js";
import type { BroadcastAxes } from "./axes.js";
import { programNodes } from "./program-nodes.js";
import type { Arithmetic, GraphSpec } from "./spec.js";
import { and } from "./visibility.js";

/** Whether a mask, a mask program or a block mask hides keys, one by one. */
export function hasMasks({ mask, programs }: Pick<GraphSpec, "mask" | "programs">): boolean {
  return mask !== null || Boolean(programs?.mask || programs?.blocks);
}

/** Whether any row may see no key, or hide keys that lie between those that it sees: by more than positions. */
export function hidesFreely(spec: Pick<GraphSpec, "mask" | "bias" | "programs">): boolean {
  return hasMasks(spec) || spec.bias !== null || spec.programs?.score != null;
}

/** The axes that masks of a graph have, all of them together. */
export function maskAxes({ mask, programs }: Pick<GraphSpec, "mask" | "programs">): BroadcastAxes {
  const parts = [mask, programs?.blocks ?? null, programs?.mask ? axesOf(programs.mask) : null];
  return [0, 1, 2, 3].map((axis) => parts.some((part) => part?.[axis])) as unknown as BroadcastAxes;
}

function axesOf(form: ProgramForm): BroadcastAxes {
  const all = dependencesOf(form).at(-1) as number;
  const { batch, head, query, key } = dependence;
  return [(all & batch) !== 0, (all & head) !== 0, (all & query) !== 0, (all & key) !== 0];
}

/** bool, broadcasting to the logits: the mask, the mask program and the block mask; null without any. */
export function maskedBy(
  g: GraphBuilder,
  spec: GraphSpec,
  arithmetic: Arithmetic,
  mask: Value | null,
  compute: "float64" | "float32",
): Value | null {
  const { programs } = spec;
  if (programs === null) return mask;
  const context = { spec, arithmetic, compute, score: null };
  const program = programs.mask && programNodes(g, programs.mask, context);
  const blocks = programs.blocks && blocksOfKeys(g, programs.blocks, spec, arithmetic);
  return and(g, arithmetic, and(g, arithmetic, mask, blocks), program);
}

/**
 * The block mask as a mask. Inputs of the model: `blocks`, `[batch or 1, queryHeads or 1, query blocks, key blocks]`,
 * and the block of each query and of each key.
 */
function blocksOfKeys(
  g: GraphBuilder,
  [batch, heads]: BroadcastAxes,
  { queryHeads }: GraphSpec,
  { and: movesBools }: Arithmetic,
): Value {
  const dims = [batch ? "batch" : 1, heads ? queryHeads : 1, "queryBlocks", "keyBlocks"];
  const blocks = g.input("blocks", movesBools ? "bool" : "int32", dims);
  const queries = g.input("blockOfQuery", "int32", ["queryLength"]);
  const keys = g.input("blockOfKey", "int32", ["keyLength"]);
  const rows = g.op("Gather", [blocks, queries], { axis: 2 });
  const found = g.op("Gather", [rows, keys], { axis: 3 });
  return movesBools ? found : g.op("Greater", [found, g.scalar("int32", 0)]);
}

/** Scores after the score program, `[batch, queryHeads, queryLength, keyLength]`; the same value without one. */
export function scoredBy(
  g: GraphBuilder,
  spec: GraphSpec,
  arithmetic: Arithmetic,
  score: Value,
  compute: "float64" | "float32",
): Value {
  const form = spec.programs?.score;
  if (!form) return score;
  const scored = programNodes(g, form, { spec, arithmetic, compute, score });
  // A program that does not read the score lacks the axes that it does not depend on.
  return variablesOf(form).has("score") ? scored : g.op("Expand", [scored, g.op("Shape", [score])]);
}
