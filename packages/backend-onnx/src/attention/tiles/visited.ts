import {
  type AttentionOutputs,
  type AttentionProblem,
  type BoundAttention,
  type BoundPositions,
  isDeviceTensor,
  type Tensor,
} from "@heed/core";
import type { BlockMask } from "@heed/core/program";
import type { OnnxContext } from "../../context.js";
import { Scratch } from "../../layout/scratch.js";
import { arePositionsFar } from "../alibi-positions.js";
import { emptyOutputs } from "../empty.js";
import type { HiddenGuard } from "../graph/spec.js";
import { mayHaveLeaked } from "../leak.js";
import { hostOutputs, type KnownOutputs } from "../outputs.js";
import { same } from "../position-feeds.js";
import { type TileCall, tileCall } from "./call.js";
import { mayBeInPlace } from "./gather.js";
import { type GroupArrays, gatheredGroup, groupFeeds } from "./group-feeds.js";
import { GroupGraphs } from "./group-graphs.js";
import { groupsOf, type VisitGroup } from "./groups.js";
import { GroupBlocks } from "./key-blocks.js";
import type { Asks } from "./kinds.js";
import { KnownMasks } from "./known-masks.js";
import { VisitMasks } from "./mask.js";
import { asGiven, VisitResults } from "./results.js";
import { hidesKeys, visitsOf } from "./visits.js";

/** Arrays that wait for the next run: query, keys, values, mask, bias, outputs and their sums. */
const keptArrays = 7;

/** Share of the time of all logits up to which visited blocks are computed alone. */
const mostShare = 0.6;

/**
 * Keys and values of a run, in bytes, at most: what a processor's caches hold while they are written and read. Half of it
 * starts twice as many runs, and takes 1.05 times as long for BigBird on cpu; twice as much takes 1.01 times.
 */
const mostBytes = 2 ** 21;

/** The visits of a call, kept for later calls with the same blocks, lengths and positions. */
interface KnownVisits {
  readonly blocks: BlockMask;
  readonly asks: Asks;
  readonly given: BoundPositions;
  /** Time of the visits, to that of all logits. */
  readonly share: number;
  readonly groups: readonly VisitGroup[];
  readonly masks: KnownMasks;
  readonly far: boolean;
}

/**
 * Calls whose block mask leaves few blocks: rows of blocks are batch entries of their own, with copies of the keys and values that
 * they visit. Only logits of visited blocks exist then. Everything else that a call says goes by the rows and keys of each
 * entry: see `numberFeeds`, `VisitMasks` and `gatherBias`.
 */
export class VisitedTiles {
  readonly #problem: AttentionProblem;
  readonly #context: OnnxContext;
  readonly #graphs: GroupGraphs;
  /** Null if the host gathers all keys and values. */
  readonly #blocks: GroupBlocks | null;
  readonly #knownOutputs: KnownOutputs = new Map();
  readonly #scratch = new Scratch(keptArrays);
  #latest: KnownVisits | null = null;

  /** @param problem that `suitsTiles` */
  constructor(problem: AttentionProblem, context: OnnxContext) {
    this.#problem = problem;
    this.#context = context;
    const { traits } = context.loaded;
    this.#graphs = new GroupGraphs(problem, traits);
    this.#blocks = traits.readsInPlace ? new GroupBlocks() : null;
  }

  /** Time of a call by its visited blocks, to that of all its logits; null where all are to be computed. */
  shareOf(bound: BoundAttention): number | null {
    if (bound.reads.some((t: Tensor) => isDeviceTensor(t))) return null;
    const call = tileCall(this.#problem, bound);
    if (call === null) return null;
    const { share } = this.#visitsOf(call);
    return share <= mostShare ? share : null;
  }

  /** @param bound a call with a share */
  async run(bound: BoundAttention): Promise<AttentionOutputs> {
    const call = tileCall(this.#problem, bound) as TileCall;
    const { groups, far, masks: known } = this.#visitsOf(call);
    const masks = new VisitMasks(call, known);
    if (groups.length === 0) return emptyOutputs(bound);
    const results = new VisitResults(call, this.#graphs.dtype);
    for (const group of groups) await this.#runGroup(call, group, masks, results, far);
    return hostOutputs(this.#problem, results.all, this.#knownOutputs);
  }

  dispose(): void {
    this.#latest = null;
    this.#graphs.clear();
  }

  #visitsOf(call: TileCall): KnownVisits {
    const { bound, blocks, asks } = call;
    const { offsets, kvLengths, queryStarts, keyStarts, queryPositions, keyPositions } = bound;
    const latest = this.#latest;
    if (latest?.blocks === blocks && latest.asks === asks && areAlike(latest.given, bound)) {
      return latest;
    }
    const visits = visitsOf(this.#problem, bound, blocks, asks);
    const { alibi, mask, keyLength, headDim, valueDim, kvDtype } = this.#problem;
    const entries = call.sequences.map((sequence) => ({ sequence, start: 0 }));
    const far = alibi && arePositionsFar(entries, keyLength);
    const { traits } = this.#context.loaded;
    const groups = groupsOf(visits, {
      isMasked: (visit) => mask !== null || visit.parts.some(hidesKeys),
      isInPlace: (visit) =>
        traits.readsInPlace &&
        kvDtype === this.#graphs.dtype &&
        mayBeInPlace(this.#problem, visit, visits.heads),
      startCost: traits.startCost / (headDim + valueDim),
      mostKeys: mostBytes / (4 * (headDim + valueDim)),
    });
    this.#latest = {
      blocks,
      asks,
      // Not the call itself, which would keep its tensors.
      given: { offsets, kvLengths, queryStarts, keyStarts, queryPositions, keyPositions },
      share: visits.cost / allPairs(call),
      groups,
      masks: new KnownMasks(),
      far,
    };
    return this.#latest;
  }

  async #runGroup(
    call: TileCall,
    group: VisitGroup,
    masks: VisitMasks,
    outputs: VisitResults,
    far: boolean,
  ): Promise<void> {
    const { sessions, loaded } = this.#context;
    const arrays: GroupArrays = gatheredGroup(
      call,
      group,
      masks,
      this.#graphs.dtype,
      this.#blocks,
      this.#scratch,
    );
    const { runtime, traits } = loaded;
    const taken = [...arrays.all];
    const run = async (guard: HiddenGuard) => {
      const { graph, problem } = this.#graphs.of(group, arrays, guard, far);
      const feeds = groupFeeds(runtime, call, group, graph, arrays);
      const fetches = traits.writesInPlace
        ? outputs.fetches(runtime, group, graph.outputs, this.#scratch, taken)
        : undefined;
      return {
        graph,
        problem,
        results: asGiven(await sessions.run(graph, feeds, fetches), fetches),
      };
    };
    try {
      const { graph, problem, results } = await run("none");
      const leaked = mayHaveLeaked(graph.leakSign, problem, results);
      outputs.put(group, leaked ? (await run("elements")).results : results);
    } finally {
      for (const array of taken) this.#scratch.give(array);
    }
  }
}

/** The pairs of a query and a key of all heads, whatever is hidden. */
function allPairs({ problem, sequences }: TileCall): number {
  const { batch, queryHeads, queryLength, keyLength, ragged } = problem;
  if (ragged === null) return batch * queryHeads * queryLength * keyLength;
  return sequences.reduce((sum, s) => sum + queryHeads * s.queryLength * s.keyLength, 0);
}

function areAlike(known: BoundPositions, asked: BoundPositions): boolean {
  return (
    same(known.offsets, asked.offsets) &&
    same(known.kvLengths, asked.kvLengths) &&
    same(known.queryStarts, asked.queryStarts) &&
    same(known.keyStarts, asked.keyStarts) &&
    same(known.queryPositions, asked.queryPositions) &&
    same(known.keyPositions, asked.keyPositions)
  );
}
