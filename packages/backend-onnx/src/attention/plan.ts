import {
  type AttentionOutputs,
  type AttentionProblem,
  attention,
  type BoundAttention,
  type HostTensor,
  isDeviceTensor,
  type KernelPlan,
  OutOfMemoryError,
  type PlanDescription,
} from "@heed/core";
import type { OnnxContext } from "../context.js";
import type { OnnxMemory } from "../device/memory.js";
import { packedLayouts, ResidentCall } from "../device/resident.js";
import { kernelName } from "../kernel-name.js";
import { axisOrders } from "./axis-orders.js";
import { typicalBand } from "./bounds.js";
import { fitsWorkspace, workspaceBytes } from "./decide.js";
import { emptyOutputs, isEmpty, uploadOutputs } from "./empty.js";
import { callFeeds, mainFeeds } from "./feeds.js";
import type { GraphKind } from "./graph/choose.js";
import { type PreparedGraph, prepareGraph } from "./graph/prepare.js";
import {
  canonicalOrders,
  type GraphSpec,
  graphSpec,
  type HiddenGuard,
  type PositionSpec,
  storedDType,
} from "./graph/spec.js";
import { guardFor } from "./hidden-values.js";
import { mayHaveLeaked } from "./leak.js";
import { hostOutputs, type KnownOutputs, outputForms } from "./outputs.js";
import {
  areAt,
  callPositions,
  type Feeds,
  type KnownPositions,
  positionSpec,
} from "./position-feeds.js";
import { seenKeys } from "./seen-keys.js";
import { sparing } from "./sparing-plan.js";
import { wantsAllKeys } from "./stored/groups.js";
import { planStored, StoredPlan } from "./stored/plan.js";
import { isStored } from "./stored/schedule.js";
import { tileNotes } from "./tiles/suits.js";

/** Positions of a call with everything derived from them, kept for later calls that have the same. */
interface KnownCall extends KnownPositions {
  /** By guard and by the order of the tensors' axes in memory. */
  readonly graphs: Map<string, PreparedGraph>;
  /** Whether it pays to take out the keys that are seen, and compute with these alone. */
  readonly seesFew: boolean;
}

/** Keys of an entry from which taking out the seen ones is slower than computing with all: it copies them. */
function fewKeys({ keyLength }: AttentionProblem): number {
  return keyLength < 256 ? -1 : keyLength / 3;
}

/** A graph and its inputs. */
interface ReadyRun {
  readonly graph: PreparedGraph;
  readonly feeds: Feeds;
}

/** Makes the plan of a problem and the session that its calls usually need, so that the first call is quick. */
export async function planAttention(
  problem: AttentionProblem,
  kind: GraphKind,
  context: OnnxContext,
): Promise<KernelPlan<BoundAttention, AttentionOutputs>> {
  if (isStored(problem)) return sparing(problem, await planStored(problem, kind, context), context);
  const plan = new OnnxPlan(problem, kind, context);
  await plan.prepare();
  return sparing(problem, plan, context, (other, kind) => planAttention(other, kind, context));
}

/**
 * A problem with the graphs that its calls need. Which keys a call hides is known only with its offsets and
 * lengths: a decode step that sees the whole cache takes the graph without a mask.
 */
class OnnxPlan implements KernelPlan<BoundAttention, AttentionOutputs> {
  readonly description: PlanDescription;
  readonly #context: OnnxContext;
  readonly #problem: AttentionProblem;
  readonly #kind: GraphKind;
  readonly #graphs = new Map<string, PreparedGraph>();
  readonly #knownOutputs: KnownOutputs = new Map();
  #latest: KnownCall | null = null;
  /** Computes calls that see a small part of the keys; null until there is one. */
  #partly: StoredPlan | null = null;

  constructor(problem: AttentionProblem, kind: GraphKind, context: OnnxContext) {
    this.#context = context;
    this.#problem = problem;
    this.#kind = kind;
    const notes = [
      ...(context.memory ? [packedLayouts] : []),
      ...tileNotes(problem, context.loaded.traits),
    ];
    this.description = {
      kernel: kernelName("attention", kind, context.loaded.traits.provider),
      tiles: {},
      workspaceBytes: workspaceBytes(problem, kind),
      dispatches: this.#usualGraph().nodes,
      ...(notes.length > 0 && { notes }),
    };
  }

  async prepare(): Promise<void> {
    if (!isEmpty(this.#problem)) await this.#context.sessions.prepare(this.#usualGraph());
  }

  async run(bound: BoundAttention): Promise<AttentionOutputs> {
    const { loaded, sessions, memory } = this.#context;
    const problem = this.#problem;
    if (!isEmpty(problem) && this.#positionsOf(bound).seesFew) return this.#runPartly(bound);
    const resident = ResidentCall.of(loaded.runtime, memory, attention, bound);
    if (resident) return resident.releasedAfter(this.#runOnDevice(resident, bound));
    if (isEmpty(problem)) return emptyOutputs(bound);
    const known = this.#positionsOf(bound);
    const guard = loaded.traits.infinities
      ? "none"
      : guardFor(bound.value as HostTensor, known.bounds, problem);
    const { graph, feeds } = this.#ready(guard, bound, known, null);
    const results = await sessions.run(graph, feeds);
    if (!mayHaveLeaked(graph.leakSign, problem, results)) {
      return hostOutputs(problem, results, this.#knownOutputs);
    }
    const guarded = this.#ready("elements", bound, known, null);
    const right = await sessions.run(guarded.graph, guarded.feeds);
    return hostOutputs(problem, right, this.#knownOutputs);
  }

  dispose(): void {
    this.#graphs.clear();
    this.#latest = null;
    this.#partly?.dispose();
  }

  #runPartly(bound: BoundAttention): Promise<AttentionOutputs> {
    this.#partly ??= new StoredPlan(this.#problem, this.#kind, this.#context);
    return this.#partly.run(bound);
  }

  async #runOnDevice(resident: ResidentCall, bound: BoundAttention): Promise<AttentionOutputs> {
    const { sessions, memory } = this.#context;
    const problem = this.#problem;
    if (isEmpty(problem)) return uploadOutputs(memory as OnnxMemory, emptyOutputs(bound));
    const known = this.#positionsOf(bound);
    const { value } = bound;
    // Values on the device are not read: the graph leaves out those that no row sees.
    const unread = known.bounds.band ? "rows" : "none";
    const guard = isDeviceTensor(value) ? unread : guardFor(value, known.bounds, problem);
    const { graph, feeds } = this.#ready(guard, bound, known, resident);
    const forms = outputForms(problem, graph.outputs);
    return (await resident.run(sessions, graph, feeds, forms)) as unknown as AttentionOutputs;
  }

  /** Offsets and lengths mostly stay the same from call to call, and so does everything derived from them. */
  #positionsOf(bound: BoundAttention): KnownCall {
    const latest = this.#latest;
    if (latest && areAt(latest, bound)) return latest;
    const problem = this.#problem;
    const positions = callPositions(problem, bound);
    const seesFew =
      !wantsAllKeys(problem) &&
      seenKeys(positions.bounds.seen, problem.keyLength) <= fewKeys(problem);
    this.#latest = { ...positions, seesFew, graphs: new Map() };
    return this.#latest;
  }

  #ready(
    guard: HiddenGuard,
    bound: BoundAttention,
    known: KnownCall,
    resident: ResidentCall | null,
  ): ReadyRun {
    const { loaded, knownFeeds } = this.#context;
    const { runtime, traits } = loaded;
    const fed = knownFeeds.of(bound);
    const order = fed
      ? canonicalOrders
      : axisOrders(bound, storedDType(this.#problem.dtype, traits));
    const key = order === canonicalOrders ? guard : `${guard} ${JSON.stringify(order)}`;
    let graph = known.graphs.get(key);
    if (!graph) {
      graph = this.#graphOf(positionSpec(known, guard), order);
      this.#checkMemory(graph);
      known.graphs.set(key, graph);
    }
    const context = { runtime, resident };
    const main = fed ?? mainFeeds(context, graph.spec, bound, knownFeeds);
    const feeds = { query: main.query, key: main.key, value: main.value };
    return { graph, feeds: callFeeds(context, graph, bound, known, feeds, this.#problem) };
  }

  #checkMemory({ kind }: PreparedGraph): void {
    const problem = this.#problem;
    const { traits } = this.#context.loaded;
    if (fitsWorkspace(problem, kind, traits)) return;
    throw new OutOfMemoryError(
      "onnx",
      `this call hides keys in a way, or holds NaN or infinities, that needs all logits, some ${workspaceBytes(problem, kind)} bytes, and maxWorkspaceBytes is ${traits.maxWorkspaceBytes}`,
    );
  }

  #usualGraph(): PreparedGraph {
    return this.#graphOf({ band: typicalBand(this.#problem), guard: "none" }, canonicalOrders);
  }

  #graphOf(positions: PositionSpec, order: GraphSpec["order"]): PreparedGraph {
    const { traits } = this.#context.loaded;
    const key = JSON.stringify([positions, order]);
    let graph = this.#graphs.get(key);
    if (!graph) {
      const spec = graphSpec(this.#problem, traits, positions, order);
      graph = prepareGraph(spec, traits, this.#problem);
      this.#graphs.set(key, graph);
    }
    return graph;
  }
}
