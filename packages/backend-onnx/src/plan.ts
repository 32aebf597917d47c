import {
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionPlan,
  type AttentionProblem,
  bindPositions,
  DisposedError,
  type HostTensor,
  isDeviceTensor,
  type PlanDescription,
} from "@heed/core";
import { boundsOf, typicalBand } from "./bounds.js";
import { deviceOutputs, isResident } from "./device/call.js";
import type { GpuDevice } from "./device/gpu.js";
import { uploadTensor } from "./device/tensor.js";
import { emptyOutputs, isEmpty } from "./empty.js";
import { type CallPositions, callFeeds } from "./feeds.js";
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
import { hostOutputs } from "./outputs.js";
import type { LoadedRuntime } from "./runtime/load.js";
import type { RuntimeTensor } from "./runtime/runtime.js";
import type { Sessions } from "./runtime/sessions.js";
import { workspaceBytes } from "./support.js";

/** What a plan needs of its backend. */
export interface PlanHost {
  readonly loaded: LoadedRuntime;
  readonly sessions: Sessions;
  /** @throws DisposedError after the backend's `dispose` */
  checkAlive(argument: string): void;
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
  #disposed = false;

  constructor(host: PlanHost, problem: AttentionProblem) {
    this.#host = host;
    this.#problem = problem;
    const usual = this.#usualGraph();
    this.description = {
      kernel: kernelName(usual.kind, host.loaded.traits),
      tiles: {},
      workspaceBytes: workspaceBytes(problem),
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
    const problem = this.#problem;
    const { device, traits } = this.#host.loaded;
    const resident = isResident(inputs, device);
    if (isEmpty(problem)) {
      const outputs = emptyOutputs(problem, inputs);
      return resident && device ? uploadAll(device, outputs) : outputs;
    }
    const { kvLengths, offsets } = bindPositions(problem, inputs);
    const bounds = boundsOf(problem, { kvLengths, offsets });
    const positions = { bounds, kvLengths };
    const { value } = inputs;
    if (resident && device) {
      // What lies on the device is not looked at: values that no row sees are left out anyway.
      const unseen = bounds.band ? "rows" : "none";
      const guard = isDeviceTensor(value) ? unseen : guardFor(value, bounds);
      return this.#runOnDevice(device, guard, inputs, positions);
    }
    const host = value as HostTensor;
    const guard = traits.infinities ? "none" : guardFor(host, bounds);
    const { leakSum, ...results } = await this.#runOnHost(guard, inputs, positions);
    if (leakSum === undefined || Number.isFinite((leakSum.data as Float32Array)[0])) {
      return hostOutputs(problem, results);
    }
    // Something leaked, or the outputs are not finite by right: the guarded graph gives what is right.
    const found = guardFor(host, bounds);
    const stricter = found === "none" ? "rows" : found;
    return hostOutputs(problem, await this.#runOnHost(stricter, inputs, positions));
  }

  #runOnHost(
    guard: HiddenGuard,
    inputs: AttentionInputs,
    positions: CallPositions,
  ): Promise<Readonly<Record<string, RuntimeTensor>>> {
    const { loaded, sessions } = this.#host;
    const graph = this.#graphOf(
      { band: positions.bounds.band, guard },
      axisOrders(inputs, storedDType(this.#problem.dtype, loaded.traits)),
    );
    const feeds = callFeeds(loaded.runtime, this.#problem, graph.spec, inputs, positions);
    return sessions.run(graph, feeds);
  }

  async #runOnDevice(
    device: GpuDevice,
    guard: HiddenGuard,
    inputs: AttentionInputs,
    positions: CallPositions,
  ): Promise<AttentionOutputs> {
    const { loaded, sessions } = this.#host;
    const graph = this.#graphOf(
      { band: positions.bounds.band, guard },
      axisOrders(inputs, storedDType(this.#problem.dtype, loaded.traits)),
    );
    const feeds = callFeeds(loaded.runtime, this.#problem, graph.spec, inputs, positions);
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
  }

  #usualGraph(): PreparedGraph {
    return this.#graphOf({ band: typicalBand(this.#problem), guard: "none" }, canonicalOrders);
  }

  #graphOf(positions: PositionSpec, order: GraphSpec["order"]): PreparedGraph {
    const { traits } = this.#host.loaded;
    const key = JSON.stringify([positions, order]);
    let graph = this.#graphs.get(key);
    if (!graph) {
      graph = prepareGraph(graphSpec(this.#problem, traits, positions, order), traits);
      this.#graphs.set(key, graph);
    }
    return graph;
  }
}

/** Empty problems, too, leave their outputs where their inputs are. */
function uploadAll(device: GpuDevice, outputs: AttentionOutputs<HostTensor>): AttentionOutputs {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, t]) => [name, uploadTensor(device, t, t.dtype)]),
  ) as unknown as AttentionOutputs;
}
