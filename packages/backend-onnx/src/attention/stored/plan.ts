import {
  type AttentionOutputs,
  type AttentionProblem,
  attention,
  type BoundAttention,
  type DType,
  type FloatDType,
  type HostTensor,
  headsPerGroup,
  type KernelPlan,
  OutOfMemoryError,
  type PlanDescription,
  type Tensor,
} from "@heed/core";
import type { OnnxContext } from "../../context.js";
import type { OnnxMemory } from "../../device/memory.js";
import { packedLayouts, ResidentCall } from "../../device/resident.js";
import { kernelName } from "../../kernel-name.js";
import {
  type AxisOrder,
  canonicalOrder,
  headsOrder,
  storedOrder,
} from "../../layout/axis-order.js";
import { Scratch } from "../../layout/scratch.js";
import type { ProviderTraits } from "../../runtime/traits.js";
import { typicalBand } from "../bounds.js";
import { fitsPart, workspaceBytes } from "../decide.js";
import { emptyOutputs, isEmpty, uploadOutputs } from "../empty.js";
import { callFeeds } from "../feeds.js";
import { chooseGraph, type GraphKind } from "../graph/choose.js";
import { type PreparedGraph, prepareGraph } from "../graph/prepare.js";
import {
  canonicalOrders,
  type GraphSpec,
  graphSpec,
  type HiddenGuard,
  type PositionSpec,
  storedDType,
} from "../graph/spec.js";
import type { StorageSpec } from "../graph/storage.js";
import { guardFor } from "../hidden-values.js";
import { mayHaveLeaked } from "../leak.js";
import { hostOutputs, type KnownOutputs, outputForms } from "../outputs.js";
import { type Feeds, positionSpec } from "../position-feeds.js";
import { tileNotes } from "../tiles/suits.js";
import { type Assembly, assembled, assembly, assemblyFeeds, type PartResults } from "./assemble.js";
import { wantsAllKeys } from "./groups.js";
import { storageNotes } from "./notes.js";
import { pageParts } from "./page-parts.js";
import { type GatheredKeys, gatheredKeys, keysOnDevice, partFeeds } from "./part-feeds.js";
import { mayReadPool } from "./pool.js";
import {
  convertedDType,
  expandedBytes,
  isScheduled,
  type KeyPath,
  leastPart,
  type Part,
  type Schedule,
  scheduleOf,
} from "./schedule.js";

/** Arrays for keys and values of two runs under way. */
const keptArrays = 4;

/** Lengths, batch sizes and rules of parts whose graphs are found without looking at their specs, at most. */
const mostKnown = 256;

/** Text that tells apart the parts of one plan that may have different graphs: a decode step writes it, and no whole spec. */
function shortKey(
  { batch, queryLength, keyLength }: AttentionProblem,
  { queries, keys, dtype, masksInPart, pool }: StorageSpec,
  { band, guard, far }: PositionSpec,
  { query, key, value }: GraphSpec["order"],
): string {
  const rules = band
    ? `${band.first} ${band.last} ${band.perRow} ${band.emptyRows} ${band.ranked} ${band.diagonal ? band.diagonal.keys : "no"}`
    : "";
  const orders =
    query === canonicalOrder && key === canonicalOrder && value === canonicalOrder
      ? ""
      : `${query} ${key} ${value}`;
  return `${batch} ${queryLength} ${keyLength} ${queries} ${keys} ${dtype} ${masksInPart} ${pool !== null} ${guard} ${far} ${rules}, ${orders}`;
}

/** How a graph converts int8. A guard looks at values, and so needs them whole. */
function int8Ways(
  problem: AttentionProblem,
  { dtype }: StorageSpec,
  guard: HiddenGuard,
  { movesInt8 }: ProviderTraits,
): Pick<StorageSpec, "scalesRows" | "convertsFirst"> {
  if (dtype !== "int8") return { scalesRows: false, convertsFirst: false };
  const rows = problem.queryLength * headsPerGroup(problem);
  const few = rows <= Math.min(problem.headDim, problem.valueDim) / 2;
  return { scalesRows: movesInt8 && guard === "none" && few, convertsFirst: !movesInt8 };
}

/** Makes the plan of a problem with stored keys, pages or a ragged batch, and a session that its calls may need. */
export async function planStored(
  problem: AttentionProblem,
  kind: GraphKind,
  context: OnnxContext,
): Promise<KernelPlan<BoundAttention, AttentionOutputs>> {
  const plan = new StoredPlan(problem, kind, context);
  await plan.prepare();
  return plan;
}

/**
 * A problem whose sequences are computed in groups, each a batch of its own: see `groupsOf`. Sessions serve all
 * lengths, so that those of a decode loop stay the same.
 */
export class StoredPlan implements KernelPlan<BoundAttention, AttentionOutputs> {
  readonly description: PlanDescription;
  readonly #context: OnnxContext;
  readonly #problem: AttentionProblem;
  readonly #graphs = new Map<string, PreparedGraph>();
  /** By what may differ between the parts of this plan's calls. */
  readonly #knownGraphs = new Map<string, PreparedGraph>();
  readonly #assemblies = new Map<string, Assembly>();
  readonly #knownOutputs: KnownOutputs = new Map();
  readonly #scratch = new Scratch(keptArrays);
  /** Whether host tensors of pages may be read where they are: page by page, and head by head. */
  readonly #readsPool: Readonly<Record<"byPage" | "byHead", boolean>>;
  #latest: Schedule | null = null;

  constructor(problem: AttentionProblem, kind: GraphKind, context: OnnxContext) {
    this.#context = context;
    this.#problem = problem;
    const { traits } = context.loaded;
    const least = leastPart(problem);
    this.#readsPool = {
      byPage: traits.readsInPlace && mayReadPool(problem, false),
      byHead: traits.readsInPlace && mayReadPool(problem, true),
    };
    this.description = {
      kernel: kernelName("attention", kind, traits.provider),
      tiles: {},
      workspaceBytes: workspaceBytes(least, kind) + expandedBytes(least),
      dispatches: this.#usualGraph().nodes,
      notes: [
        ...storageNotes(problem, traits, context.memory !== null),
        ...(context.memory ? [packedLayouts] : []),
        ...tileNotes(problem, traits),
      ],
    };
  }

  async prepare(): Promise<void> {
    if (!isEmpty(this.#problem)) await this.#context.sessions.prepare(this.#usualGraph());
  }

  async run(bound: BoundAttention): Promise<AttentionOutputs> {
    const { loaded, memory } = this.#context;
    const resident = ResidentCall.of(loaded.runtime, memory, attention, bound);
    if (resident) return resident.releasedAfter(this.#runOnDevice(resident, bound));
    return this.#runOnHost(bound, true);
  }

  /** @param mayReadPool whether pages may be read where they are, with those of nobody among them */
  async #runOnHost(bound: BoundAttention, mayReadPool: boolean): Promise<AttentionOutputs> {
    const schedule = this.#scheduleOf(bound, false, mayReadPool);
    if (this.#isEmpty(schedule, bound)) return emptyOutputs(bound);
    const results: PartResults[] = [];
    for (const part of schedule.parts) {
      const found = await this.#runPart(schedule, part, bound);
      // NaN that is not to be seen is kept out where pages are gathered.
      if (found === null) return this.#runOnHost(bound, false);
      results.push(found);
    }
    const groups = schedule.parts.map(({ group }) => group);
    const whole = schedule.whole
      ? (results[0] as PartResults)
      : assembled(this.#problem, groups, results);
    return hostOutputs(this.#problem, whole, this.#knownOutputs);
  }

  dispose(): void {
    this.#graphs.clear();
    this.#knownGraphs.clear();
    this.#assemblies.clear();
    this.#latest = null;
  }

  /** @returns null if pages were read where they are, and hidden NaN may have reached the outputs */
  async #runPart(
    schedule: Schedule,
    part: Part,
    bound: BoundAttention,
  ): Promise<PartResults | null> {
    const { loaded, sessions } = this.#context;
    const { runtime, traits } = loaded;
    const gathered = this.#gathered(schedule, part, bound);
    try {
      const run = (guard: HiddenGuard) => {
        const graph = this.#graphFor(schedule, part, bound, guard);
        const feeds = this.#feeds({ runtime, resident: null }, graph, part, bound, gathered);
        return { graph, results: sessions.run(graph, feeds) };
      };
      const value = gathered?.value ?? (bound.value as HostTensor);
      const own = traits.infinities
        ? "none"
        : guardFor(value, part.positions.bounds, this.#problem);
      const { graph, results } = run(own);
      const first = await results;
      if (!mayHaveLeaked(graph.leakSign, part.problem, first)) return first;
      if (part.pool) return null;
      return await run("elements").results;
    } finally {
      for (const array of gathered?.arrays ?? []) this.#scratch.give(array);
    }
  }

  async #runOnDevice(resident: ResidentCall, bound: BoundAttention): Promise<AttentionOutputs> {
    const { loaded, sessions, memory } = this.#context;
    const { runtime } = loaded;
    const schedule = this.#scheduleOf(bound, true, false);
    if (this.#isEmpty(schedule, bound)) {
      return uploadOutputs(memory as OnnxMemory, emptyOutputs(bound));
    }
    const results: PartResults[] = [];
    const arrays: GatheredKeys["arrays"][number][] = [];
    try {
      let graph: PreparedGraph | null = null;
      for (const part of schedule.parts) {
        const gathered = this.#gathered(schedule, part, bound);
        arrays.push(...(gathered?.arrays ?? []));
        const { bounds } = part.positions;
        // Values on the device are not read: the graph leaves out those that no row sees.
        const unread = bounds.band ? "rows" : "none";
        const guard = gathered ? guardFor(gathered.value, bounds, this.#problem) : unread;
        graph = this.#graphFor(schedule, part, bound, guard);
        const feeds = this.#feeds({ runtime, resident }, graph, part, bound, gathered);
        const forms = outputForms(part.problem, graph.outputs);
        if (schedule.whole) {
          const outputs = await resident.run(sessions, graph, feeds, forms);
          return outputs as unknown as AttentionOutputs;
        }
        results.push(await resident.runPart(sessions, graph, feeds, forms));
      }
      const groups = schedule.parts.map(({ group }) => group);
      const model = this.#assemblyOf(groups.length, (graph as PreparedGraph).outputs);
      const feeds = assemblyFeeds(runtime, this.#problem, groups, results);
      const forms = outputForms(this.#problem, model.outputs);
      return (await resident.run(sessions, model, feeds, forms)) as unknown as AttentionOutputs;
    } finally {
      for (const array of arrays) this.#scratch.give(array);
    }
  }

  #scheduleOf(bound: BoundAttention, onDevice: boolean, mayReadPool: boolean): Schedule {
    const { traits } = this.#context.loaded;
    const inGraph = traits.readsInPlace || keysOnDevice(bound);
    const way = this.#pathOf(inGraph, onDevice);
    const order = this.#orderOfPages(bound, way.dtype);
    const inPool = mayReadPool && order !== null && this.#readsPool[order];
    const path = { ...way, byHead: order === "byHead", inPool };
    const latest = this.#latest;
    if (latest && isScheduled(latest, bound, path)) return latest;
    this.#latest = scheduleOf(this.#problem, bound, path, traits);
    return this.#latest;
  }

  /** How pages lie that may be read where they are; null where there are none, or they lie otherwise. */
  #orderOfPages({ key, value }: BoundAttention, dtype: DType): "byPage" | "byHead" | null {
    if (this.#problem.pages === null || !this.#context.loaded.traits.readsInPlace) return null;
    const orders = [key, value].map((t) => storedOrder(t, dtype));
    if (orders.every((order) => order === headsOrder)) return "byHead";
    if (!orders.every((order) => order === canonicalOrder)) return null;
    // A single head lies both ways.
    return this.#problem.kvHeads === 1 ? "byHead" : "byPage";
  }

  #pathOf(inGraph: boolean, onDevice: boolean): Omit<KeyPath, "inPool" | "byHead"> {
    const { traits } = this.#context.loaded;
    const { kvDtype } = this.#problem;
    const converted = convertedDType(this.#problem, traits);
    const given = kvDtype === "int8" ? kvDtype : storedDType(kvDtype, traits);
    return { inGraph, onDevice, dtype: inGraph ? given : converted };
  }

  #isEmpty({ parts }: Schedule, { kvLengths }: BoundAttention): boolean {
    const problem = this.#problem;
    if (isEmpty(problem) || parts.length === 0 || problem.pages?.count === 0) return true;
    if (kvLengths.every((length) => length === 0)) return true;
    if (wantsAllKeys(problem)) return false;
    return parts.every(({ group }) => group.sights.every(({ start, end }) => end <= start));
  }

  #gathered({ path }: Schedule, part: Part, bound: BoundAttention): GatheredKeys | null {
    if (path.inGraph) return null;
    return gatheredKeys(part, bound, path.dtype as FloatDType, this.#scratch);
  }

  #feeds(
    context: Parameters<typeof callFeeds>[0],
    graph: PreparedGraph,
    part: Part,
    bound: BoundAttention,
    gathered: GatheredKeys | null,
  ): Feeds {
    const main = partFeeds(context, part, graph.spec, bound, gathered, graph.reads);
    return callFeeds(context, graph, bound, part.positions, main, part.problem);
  }

  /** @throws OutOfMemoryError */
  #graphFor(
    { path }: Schedule,
    { problem, storage, positions }: Part,
    bound: BoundAttention,
    guard: HiddenGuard,
  ): PreparedGraph {
    const { traits } = this.#context.loaded;
    const orderOf = (t: Tensor): AxisOrder =>
      path.inGraph && !path.byHead ? storedOrder(t, storage.dtype) : canonicalOrder;
    const order = {
      query: storedOrder(bound.query, storedDType(problem.dtype, traits)),
      key: orderOf(bound.key),
      value: orderOf(bound.value),
    };
    const spec = positionSpec(positions, guard);
    const key = shortKey(problem, storage, spec, order);
    let graph = this.#knownGraphs.get(key);
    if (!graph) {
      graph = this.#graphOf(problem, storage, spec, order);
      if (this.#knownGraphs.size >= mostKnown) this.#knownGraphs.clear();
      this.#knownGraphs.set(key, graph);
    }
    if (fitsPart(problem, graph.kind, traits)) return graph;
    throw new OutOfMemoryError(
      "onnx",
      `a sequence of ${problem.queryLength} queries and ${problem.keyLength} keys needs some ${workspaceBytes(problem, graph.kind) + expandedBytes(problem)} bytes, more than maxWorkspaceBytes or provider ${traits.provider} allows`,
    );
  }

  #graphOf(
    problem: AttentionProblem,
    given: StorageSpec,
    positions: PositionSpec,
    order: GraphSpec["order"],
  ): PreparedGraph {
    const { traits } = this.#context.loaded;
    const { guard } = positions;
    const converted = { ...given, ...int8Ways(problem, given, guard, traits) };
    const pageSize = this.#problem.pages?.size ?? 1;
    const parts = pageParts(problem, pageSize, converted, guard, order, traits);
    const storage = { ...converted, parts };
    const spec = graphSpec(problem, traits, positions, order, storage);
    const key = JSON.stringify([spec, chooseGraph(spec, traits, problem)]);
    let graph = this.#graphs.get(key);
    if (!graph) {
      graph = prepareGraph(spec, traits, problem);
      this.#graphs.set(key, graph);
    }
    return graph;
  }

  /** The graph of a single sequence of which all keys are read, as a decode loop has it. */
  #usualGraph(): PreparedGraph {
    const problem = this.#problem;
    const { loaded, memory } = this.#context;
    const least = leastPart(problem);
    const path = this.#pathOf(loaded.traits.readsInPlace || memory !== null, memory !== null);
    // Pages of caches lie head by head, and are read as a batch.
    const readsPool = this.#readsPool.byHead && least.queryLength === 1;
    const gathersPages = problem.pages !== null && !readsPool;
    const keys = gathersPages ? "pages" : problem.ragged?.keys ? "rows" : "whole";
    const storage: StorageSpec = {
      queries: problem.ragged ? "rows" : "whole",
      keys: path.inGraph ? keys : "whole",
      dtype: path.dtype,
      scalesRows: false,
      convertsFirst: false,
      masksInPart: false,
      parts: 1,
      pool: null,
    };
    const band = typicalBand({ ...least, kvLengths: problem.kvLengths });
    return this.#graphOf(least, storage, { band, guard: "none" }, canonicalOrders);
  }

  #assemblyOf(parts: number, outputs: PreparedGraph["outputs"]): Assembly {
    const key = `${parts} ${outputs.map(({ name, dtype }) => `${name} ${dtype}`).join()}`;
    let model = this.#assemblies.get(key);
    if (!model) {
      model = assembly(parts, this.#problem, outputs);
      this.#assemblies.set(key, model);
    }
    return model;
  }
}
