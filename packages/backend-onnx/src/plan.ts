import {
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionPlan,
  type AttentionProblem,
  bindPositions,
  DisposedError,
  type HostTensor,
  isDeviceTensor,
  OutOfMemoryError,
  type PlanDescription,
} from "@heed/core";
import { boundsOf, typicalBand } from "./bounds.js";
import { deviceOutputs, isResident } from "./device/call.js";
import type { GpuDevice } from "./device/gpu.js";
import { uploadTensor } from "./device/tensor.js";
import { emptyOutputs, isEmpty } from "./empty.js";
import { type CallPositions, callFeeds, type Feeds, type KnownFeeds, mainFeeds } from "./feeds.js";
import { kernelName } from "./graph/choose.js";
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
import { axisOrders } from "./layout.js";
import { mayHaveLeaked } from "./leak.js";
import { hostOutputs, type KnownOutputs } from "./outputs.js";
import type { LoadedRuntime } from "./runtime/load.js";
import type { Sessions } from "./runtime/sessions.js";
import { fitsWorkspace, workspaceBytes } from "./support.js";

/** What a plan needs of its backend. */
export interface PlanHost {
  readonly loaded: LoadedRuntime;
  readonly sessions: Sessions;
  readonly knownFeeds: KnownFeeds;
  /** @throws DisposedError after the backend's `dispose` */
  checkAlive(argument: string): void;
}

/** What is worked out of a call's offsets and lengths, and kept for the next one that has the same. */
interface BoundCall extends CallPositions {
  readonly offsets: Int32Array;
  /** By guard and by how the tensors lie. */
  readonly graphs: Map<string, PreparedGraph>;
}

/** A graph, and what it is to read. */
interface ReadyRun {
  readonly graph: PreparedGraph;
  readonly feeds: Feeds;
}

/**
 * A problem with the graphs that its calls need. Which keys a call hides is known only with its
 * offsets and lengths: a decode step that sees the whole cache takes the graph without a mask.
 */
export class OnnxPlan implements AttentionPlan {
  readonly description: PlanDescription;
  readonly #host: PlanHost;
  readonly #problem: AttentionProblem;
  readonly #graphs = new Map<string, PreparedGraph>();
  readonly #knownOutputs: KnownOutputs = new Map();
  #latest: BoundCall | null = null;
  #disposed = false;

  constructor(host: PlanHost, problem: AttentionProblem) {
    this.#host = host;
    this.#problem = problem;
    const usual = this.#usualGraph();
    this.description = {
      kernel: kernelName(usual.kind, host.loaded.traits),
      tiles: {},
      workspaceBytes: workspaceBytes(problem, usual.kind),
      dispatches: usual.nodes,
    };
  }

  /** Makes the session that calls usually need, so that the first one does not wait for it. */
  async prepare(): Promise<void> {
    if (!isEmpty(this.#problem)) await this.#host.sessions.prepare(this.#usualGraph());
  }

  async run(inputs: AttentionInputs): Promise<AttentionOutputs> {
    if (this.#disposed) throw new DisposedError("plan");
    this.#host.checkAlive("backend");
    const { loaded, sessions } = this.#host;
    const { device } = loaded;
    const resident = isResident(inputs, device);
    const problem = this.#problem;
    if (isEmpty(problem)) {
      const outputs = emptyOutputs(problem, inputs);
      return resident && device ? uploadAll(device, outputs) : outputs;
    }
    const bound = this.#bind(inputs);
    if (resident && device) return this.#runOnDevice(device, inputs, bound);
    const guard = loaded.traits.infinities
      ? "none"
      : guardFor(inputs.value as HostTensor, bound.bounds, problem);
    const { graph, feeds } = this.#ready(guard, inputs, bound);
    const results = await sessions.run(graph, feeds);
    if (!mayHaveLeaked(graph.leakSign, problem, results)) {
      return hostOutputs(problem, results, this.#knownOutputs);
    }
    const guarded = this.#ready("elements", inputs, bound);
    const right = await sessions.run(guarded.graph, guarded.feeds);
    return hostOutputs(problem, right, this.#knownOutputs);
  }

  async #runOnDevice(
    device: GpuDevice,
    inputs: AttentionInputs,
    bound: BoundCall,
  ): Promise<AttentionOutputs> {
    const { loaded, sessions } = this.#host;
    const { value } = inputs;
    // What lies on the device is not looked at: values that no row sees are left out anyway.
    const unseen = bound.bounds.band ? "rows" : "none";
    const guard = isDeviceTensor(value) ? unseen : guardFor(value, bound.bounds, this.#problem);
    const { graph, feeds } = this.#ready(guard, inputs, bound);
    const made = deviceOutputs(loaded.runtime, device, this.#problem, graph.outputs);
    try {
      await sessions.run(graph, feeds, made.fetches);
    } catch (error) {
      made.dispose();
      throw error;
    }
    return made.outputs;
  }

  dispose(): void {
    this.#disposed = true;
    this.#graphs.clear();
    this.#latest = null;
  }

  /** Offsets and lengths mostly stay the same from call to call, and so then does all of this. */
  #bind(inputs: AttentionInputs): BoundCall {
    if (this.#latest && bindsTo(this.#latest, this.#problem, inputs)) return this.#latest;
    const bound = bindPositions(this.#problem, inputs);
    const bounds = boundsOf(this.#problem, bound);
    this.#latest = { ...bound, bounds, feeds: new Map(), graphs: new Map() };
    return this.#latest;
  }

  #ready(guard: HiddenGuard, inputs: AttentionInputs, bound: BoundCall): ReadyRun {
    const { loaded, knownFeeds } = this.#host;
    const { runtime, traits } = loaded;
    const known = knownFeeds.of(inputs);
    const order = known
      ? canonicalOrders
      : axisOrders(inputs, storedDType(this.#problem.dtype, traits));
    const key = order === canonicalOrders ? guard : `${guard} ${JSON.stringify(order)}`;
    let graph = bound.graphs.get(key);
    if (!graph) {
      graph = this.#graphOf({ band: bound.bounds.band, guard }, order);
      this.#checkMemory(graph);
      bound.graphs.set(key, graph);
    }
    const main = known ?? mainFeeds(runtime, graph.spec, inputs, knownFeeds);
    return { graph, feeds: callFeeds(runtime, this.#problem, graph, inputs, bound, main) };
  }

  #checkMemory({ kind }: PreparedGraph): void {
    const problem = this.#problem;
    const { traits } = this.#host.loaded;
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
    const { traits } = this.#host.loaded;
    const key = JSON.stringify([positions, order]);
    let graph = this.#graphs.get(key);
    if (!graph) {
      const spec = graphSpec(this.#problem, traits, positions, order);
      graph = prepareGraph(spec, traits, this.#problem.queryLength);
      this.#graphs.set(key, graph);
    }
    return graph;
  }
}

/** Whether a call has the offsets and lengths that an earlier one had: told without resolving them. */
function bindsTo(
  { offsets, kvLengths }: BoundCall,
  { positions }: AttentionProblem,
  inputs: AttentionInputs,
): boolean {
  // Bottom-right offsets follow from the lengths, and where no rule needs positions they are 0.
  if (inputs.kvLengths && !same(kvLengths, inputs.kvLengths)) return false;
  const { queryOffset } = inputs;
  if (positions === "fixed") return same(offsets, Number(queryOffset ?? 0));
  return positions !== "per-batch" || same(offsets, queryOffset as ArrayLike<number>);
}

/** @param given a number for each of the known, or one for all */
function same(known: Int32Array, given: ArrayLike<number> | number): boolean {
  for (let i = 0; i < known.length; i++) {
    if (known[i] !== (typeof given === "number" ? given : given[i])) return false;
  }
  return true;
}

/** Empty problems, too, leave their outputs where their inputs are. */
function uploadAll(device: GpuDevice, outputs: AttentionOutputs<HostTensor>): AttentionOutputs {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, t]) => [name, uploadTensor(device, t, t.dtype)]),
  ) as unknown as AttentionOutputs;
}
