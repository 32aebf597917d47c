import { type AttentionProblem, splitHeads, tensor } from "@heed/core";
import type { Tensor } from "onnxruntime-web";
import { keepByPositions, type Peer, type PeerPlan } from "../peer.js";
import { feedsOf, positionFeeds } from "./feeds.js";
import { fusedFeatures, fusedOperator, fusedReasons } from "./fused.js";
import { attentionModel, type GraphKind, matmulFeatures } from "./graphs.js";
import type { LoadedRuntime } from "./runtime.js";

/** onnxruntime with a model of one attention by other operators than Attention. */
export function graphPeer(loaded: LoadedRuntime, kind: GraphKind): Peer<Tensor> {
  return {
    info: loaded.info,
    limits: {
      dtypes: ["float32"],
      features: kind === "fused" ? fusedFeatures : matmulFeatures,
      // The cache that the fused operator takes ends where the queries do.
      positions: kind === "fused" ? "ends" : "start",
    },
    refuses: (problem) => (kind === "fused" ? fusedReasons(problem) : []),
    plan: (problem) => plan(loaded, kind, problem),
  };
}

async function plan(
  { runtime, create }: LoadedRuntime,
  kind: GraphKind,
  problem: AttentionProblem,
): Promise<PeerPlan<Tensor>> {
  const session = await create(attentionModel(kind, problem));
  const positions = keepByPositions((bound) => positionFeeds(kind, runtime.Tensor, problem, bound));
  return {
    kernel:
      kind === "fused"
        ? `operator ${fusedOperator(problem)} of com.microsoft`
        : "graph MatMul, Softmax, MatMul",
    run: async (call) => {
      const feeds = {
        ...feedsOf(kind, runtime.Tensor, problem, call),
        ...positions.of(call.bound),
      };
      const { output } = await session.run(feeds, ["output"]);
      if (!output) throw new Error("the session gave no output");
      const t = tensor(output.data as Float32Array, output.dims);
      return { output: kind === "fused" ? splitHeads(t, problem.queryHeads) : t };
    },
    dispose: () => void session.release(),
  };
}
