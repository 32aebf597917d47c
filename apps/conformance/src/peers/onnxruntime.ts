import {
  type AttentionProblem,
  bindPositions,
  broadcastTo,
  type HostTensor,
  tensor,
  toFloat64,
} from "@heed/core";
import type { InferenceSession, Tensor } from "onnxruntime-web";
import { type AttentionModel, encodeAttention } from "./attention-model.js";
import { type Peer, type PeerInputs, peerProvider, positionMask } from "./peer.js";

type Runtime = Pick<typeof import("onnxruntime-web"), "InferenceSession" | "Tensor" | "env">;

/**
 * The operator Attention of onnxruntime-web, as the runtime has it on wasm. `@heed/backend-onnx` does
 * not use it; this says why.
 */
export default peerProvider("ort-attention", async (): Promise<Peer> => {
  const runtime: Runtime = await import("onnxruntime-web");
  runtime.env.wasm.numThreads = 1;
  runtime.env.logLevel = "error";
  const sessions = new Map<string, Promise<InferenceSession>>();
  return {
    info: { runtime: "onnxruntime-web", device: "CPU", features: ["wasm"], threads: 1 },
    lacks: [
      "float64",
      "float16",
      "empty tensors",
      "window",
      "ALiBi",
      "sinks",
      "logSumExp",
      "mask and bias together",
    ],
    refuses: ({ returns, scale }) => {
      if (scale <= 0) return "ort-attention makes no session for a scale of 0 or below";
      return returns.scores === "biased" || (returns.scores !== null && returns.weights)
        ? "ort-attention returns scores or weights, not both, and none with its mask as ours"
        : null;
    },
    kernel: "Attention, opset 24",
    run: async (problem, inputs) => {
      const { model, feeds } = await prepare(runtime, problem, inputs);
      const key = JSON.stringify(model);
      const session =
        sessions.get(key) ??
        runtime.InferenceSession.create(encodeAttention(model), {
          executionProviders: ["wasm"],
          // Its shape inference takes qk_matmul_output to have no keys, and says so at each run.
          logSeverityLevel: 3,
        });
      sessions.set(key, session);
      const { Y, qk } = await (await session).run(feeds);
      const rows = [problem.batch, problem.queryHeads, problem.queryLength];
      const give = (t: Tensor | undefined, last: number): HostTensor =>
        tensor(Float32Array.from(t?.data as Float32Array), [...rows, last]);
      return {
        output: give(Y, problem.valueDim),
        ...(problem.returns.weights && { weights: give(qk, problem.keyLength) }),
        ...(problem.returns.scores && { scores: give(qk, problem.keyLength) }),
      };
    },
  };
});

async function prepare(runtime: Runtime, problem: AttentionProblem, inputs: PeerInputs) {
  const { batch, queryHeads, queryLength, keyLength, causal, returns } = problem;
  const { offsets, kvLengths } = bindPositions(problem, inputs);
  // The operator's offset is 0, or nonpad_kv_seqlen − queryLength where that is given.
  const nonpad = offsets.every((offset, b) => offset === (kvLengths[b] as number) - queryLength);
  const atZero = offsets.every((offset) => offset === 0);
  const useNonpad = problem.kvLengths ? nonpad || !causal : causal && !atZero && nonpad;
  const own = useNonpad || (!problem.kvLengths && atZero);
  const full = [batch, queryHeads, queryLength, keyLength];
  const { Tensor: OrtTensor } = runtime;
  const float = (t: HostTensor): Tensor =>
    new OrtTensor("float32", Float32Array.from(toFloat64(t)), [...t.shape]);
  const feeds: Record<string, Tensor> = {
    Q: float(inputs.query),
    K: float(inputs.key),
    V: float(inputs.value),
  };
  let mask: AttentionModel["mask"] = null;
  if (inputs.bias) {
    mask = "float";
    const values = Float32Array.from(toFloat64(broadcastTo(inputs.bias, full)));
    const seen = own ? null : positionMask(problem, inputs);
    if (seen) {
      for (let at = 0; at < values.length; at++) {
        if (!seen[seenAt(at, problem)]) values[at] = Number.NEGATIVE_INFINITY;
      }
    }
    feeds.attn_mask = new OrtTensor("float32", values, full);
  } else if (inputs.mask || !own) {
    mask = "bool";
    const given = inputs.mask && toFloat64(broadcastTo(inputs.mask, full));
    const seen = own ? null : positionMask(problem, inputs);
    const values = Uint8Array.from({ length: full.reduce((a, b) => a * b, 1) }, (_, at) =>
      (given?.[at] ?? 1) && (seen?.[seenAt(at, problem)] ?? 1) ? 1 : 0,
    );
    feeds.attn_mask = new OrtTensor("bool", values, full);
  }
  if (useNonpad) {
    feeds.nonpad_kv_seqlen = new OrtTensor("int64", BigInt64Array.from(kvLengths, BigInt), [batch]);
  }
  const model: AttentionModel = {
    causal: causal && own,
    scale: problem.scale,
    softcap: problem.softcap ?? 0,
    mask,
    nonpad: useNonpad,
    qk: returns.weights ? 3 : returns.scores === "raw" ? 0 : returns.scores === "capped" ? 1 : null,
  };
  return { model, feeds };
}

/** From an element of `[batch, heads, queries, keys]` to that of `[batch, 1, queries, keys]`. */
function seenAt(at: number, { queryHeads, queryLength, keyLength }: AttentionProblem): number {
  const matrix = queryLength * keyLength;
  return Math.floor(at / (matrix * queryHeads)) * matrix + (at % matrix);
}
