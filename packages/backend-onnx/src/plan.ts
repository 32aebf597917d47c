import {
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionPlan,
  type AttentionProblem,
  bindPositions,
  DisposedError,
  type HostTensor,
  InvalidInputError,
  isDeviceTensor,
  type PlanDescription,
} from "@heed/core";
import { boundsOf, typicalBand } from "./bounds.js";
import { emptyOutputs, isEmpty } from "./empty.js";
import { type CallPositions, callFeeds } from "./feeds.js";
import { kernelName } from "./graph/choose.js";
import { type PreparedGraph, prepareGraph } from "./graph/prepare.js";
import { graphSpec, type HiddenGuard, type PositionSpec } from "./graph/spec.js";
import { guardFor } from "./hidden-values.js";
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
    if (isEmpty(problem)) return emptyOutputs(problem, inputs);
    for (const name of ["query", "key", "value", "mask", "bias"] as const) {
      const t = inputs[name];
      if (t !== undefined && isDeviceTensor(t)) {
        throw new InvalidInputError(name, "a host tensor", `a tensor of backend ${t.backend}`);
      }
    }
    const call = inputs as AttentionInputs<HostTensor>;
    const positions = bindPositions(problem, inputs);
    const bounds = boundsOf(problem, positions);
    const { kvLengths } = positions;
    const { infinities } = this.#host.loaded.traits;
    const guard = infinities ? "none" : guardFor(call.value, bounds);
    const { leakSum, ...results } = await this.#runGuarded(guard, call, { bounds, kvLengths });
    if (leakSum === undefined || Number.isFinite((leakSum.data as Float32Array)[0])) {
      return hostOutputs(problem, results);
    }
    // Something leaked, or the outputs are not finite by right: the guarded graph gives what is right.
    const found = guardFor(call.value, bounds);
    const stricter = found === "none" ? "rows" : found;
    return hostOutputs(problem, await this.#runGuarded(stricter, call, { bounds, kvLengths }));
  }

  #runGuarded(
    guard: HiddenGuard,
    inputs: AttentionInputs<HostTensor>,
    positions: CallPositions,
  ): Promise<Readonly<Record<string, RuntimeTensor>>> {
    const { loaded, sessions } = this.#host;
    const graph = this.#graphOf({ band: positions.bounds.band, guard });
    const feeds = callFeeds(loaded.runtime, this.#problem, graph.spec, inputs, positions);
    return sessions.run(graph, feeds);
  }

  dispose(): void {
    this.#disposed = true;
    this.#graphs.clear();
  }

  #usualGraph(): PreparedGraph {
    return this.#graphOf({ band: typicalBand(this.#problem), guard: "none" });
  }

  #graphOf(positions: PositionSpec): PreparedGraph {
    const { traits } = this.#host.loaded;
    const key = JSON.stringify(positions);
    let graph = this.#graphs.get(key);
    if (!graph) {
      graph = prepareGraph(graphSpec(this.#problem, traits, positions), traits);
      this.#graphs.set(key, graph);
    }
    return graph;
  }
}
