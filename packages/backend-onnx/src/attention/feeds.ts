import {
  type AttentionProblem,
  type BoundAttention,
  statisticsDType,
  type Tensor,
} from "@heed/core";
import { canonicalOrder } from "../layout/axis-order.js";
import { type FeedContext, feed } from "../layout/feed.js";
import { elementsOf } from "../model/model.js";
import type { Runtime, RuntimeTensor } from "../runtime/runtime.js";
import type { GraphSpec } from "./graph/spec.js";
import { type CallPositions, type FedGraph, type Feeds, positionFeeds } from "./position-feeds.js";
import { programFeeds } from "./program-feeds.js";

/** Query, key and value as a graph reads them. */
export type MainFeeds = Readonly<Record<"query" | "key" | "value", RuntimeTensor>>;

/**
 * onnxruntime's tensors over host tensors whose memory it reads in place. The keys and values of a cache are
 * the same tensors at every step, and are not wrapped again. Host tensors that are not frozen are not kept,
 * since another array may take the place of theirs.
 */
export class KnownFeeds {
  readonly #known = new WeakMap<Tensor, RuntimeTensor>();

  /** The three tensors of a call, if all are known: they are row-major, and stored in their own dtype. */
  of({ query, key, value }: BoundAttention): MainFeeds | null {
    const [q, k, v] = [this.get(query), this.get(key), this.get(value)];
    return q && k && v ? { query: q, key: k, value: v } : null;
  }

  get(t: Tensor): RuntimeTensor | undefined {
    return this.#known.get(t);
  }

  /** Keeps a tensor for later calls, if it reads the host tensor's own memory, and returns it. */
  keep(t: Tensor, fed: RuntimeTensor): RuntimeTensor {
    const asItIs = "data" in t && fed.location === "cpu" && t.data === fed.data;
    if (asItIs && [t, t.shape, t.strides].every(Object.isFrozen)) this.#known.set(t, fed);
    return fed;
  }
}

/**
 * All inputs of a graph, for one call.
 *
 * @param feeds query, key and value, and what else the graph reads of their storage: an object of its own, which
 *   gets the rest and is returned
 * @param within the problem that the graph computes: the call's, or a part of it
 */
export function callFeeds(
  context: FeedContext,
  graph: FedGraph,
  bound: BoundAttention,
  positions: CallPositions,
  feeds: Feeds,
  within: AttentionProblem,
): Feeds {
  const { problem } = bound;
  const { mask, bias } = maskAndBias(bound);
  const { spec } = graph;
  const { runtime } = context;
  let known = positions.feeds.get(graph);
  if (!known) {
    const made = positionFeeds(runtime, within, graph, positions);
    known = Object.entries(made).map(([name, fed]) => ({ name, fed }));
    positions.feeds.set(graph, known);
  }
  for (const { name, fed } of known) feeds[name] = fed;
  if (mask && problem.mask) feeds.mask = feed(context, "mask", mask, "bool", problem.mask.shape);
  if (bias && problem.bias && spec.bias) {
    feeds.bias = feed(context, "bias", bias, spec.bias.dtype, problem.bias.shape);
  }
  if (spec.alibi || spec.sinks) addHeadValues(feeds, runtime, bound);
  if (spec.programs) Object.assign(feeds, programFeeds(runtime, graph, bound, positions.sequences));
  return feeds;
}

/** The mask and the bias as they were given, of their own shapes; the bound call expands them. */
function maskAndBias(bound: BoundAttention): { mask?: Tensor; bias?: Tensor } {
  const { problem, reads, keyScales } = bound;
  const [first, second] = keyScales ? reads.slice(5) : [reads[3], reads[4]];
  if (problem.mask === null) return first === undefined ? {} : { bias: first };
  return { ...(first && { mask: first }), ...(second && { bias: second }) };
}

/**
 * Query, key and value for a graph. A tensor whose axes lie in the order that the graph reads is given
 * without a copy.
 */
export function mainFeeds(
  context: FeedContext,
  { dtype, order }: GraphSpec,
  { query, key, value }: BoundAttention,
  known: KnownFeeds,
): MainFeeds {
  const fed = (name: "query" | "key" | "value", t: Tensor): RuntimeTensor => {
    const made = (): RuntimeTensor => feed(context, name, t, dtype, t.shape, order[name]);
    return order[name] === canonicalOrder ? (known.get(t) ?? known.keep(t, made())) : made();
  };
  return { query: fed("query", query), key: fed("key", key), value: fed("value", value) };
}

function addHeadValues(feeds: Feeds, { Tensor }: Runtime, bound: BoundAttention): void {
  const { dtype, queryHeads } = bound.problem;
  const compute = statisticsDType(dtype);
  for (const name of ["alibiSlopes", "sinks"] as const) {
    const list = bound[name];
    if (list) feeds[name] = new Tensor(compute, elementsOf(compute, list), [1, queryHeads, 1, 1]);
  }
}
