import { type AttentionProblem, elementCount, type HostTensor, tensor } from "@heed/core";
import type { InferenceSession, Tensor } from "onnxruntime-web";
import { dense, type Peer, type PeerCall, perScore, positionMask } from "../peer.js";
import {
  type AttentionModel,
  encodeAttention,
  modelOf,
  operatorFeatures,
} from "./attention-model.js";
import type { LoadedRuntime } from "./runtime.js";

/**
 * The operator Attention of opset 24, as the runtime has it. `@heed/backend-onnx` does not use it on every
 * provider; what the suite finds in it says why.
 */
export function attentionPeer({ runtime, info, create }: LoadedRuntime): Peer<Tensor> {
  const sessions = new Map<string, Promise<InferenceSession>>();
  return {
    info,
    limits: {
      dtypes: ["float32"],
      features: operatorFeatures,
      positions: "any",
    },
    refuses: ({ returns, scale, mask, bias }) => {
      const other = (message: string) => [{ code: "other", message }];
      if (mask && bias) return other("the operator has one attn_mask: no mask and bias together");
      if (scale <= 0) return other("the operator makes no session for a scale of 0 or below");
      return returns.scores === "biased" || (returns.scores !== null && returns.weights)
        ? other("the operator returns scores or weights, not both, and none with its mask as ours")
        : [];
    },
    plan: (problem) => ({
      kernel: "operator Attention, opset 24",
      run: async (call) => {
        const { model, feeds } = prepare(runtime, problem, call);
        const key = `${JSON.stringify(model)} ${problem.key}`;
        const session = sessions.get(key) ?? create(encodeAttention(model, problem));
        sessions.set(key, session);
        const { Y, qk } = await (await session).run(feeds);
        const rows = [problem.batch, problem.queryHeads, problem.queryLength];
        const give = (t: Tensor | undefined, last: number): HostTensor =>
          tensor(t?.data as Float32Array, [...rows, last]);
        return {
          output: give(Y, problem.valueDim),
          ...(problem.returns.weights && { weights: give(qk, problem.keyLength) }),
          ...(problem.returns.scores && { scores: give(qk, problem.keyLength) }),
        };
      },
    }),
  };
}

function prepare(
  { Tensor: OrtTensor }: LoadedRuntime["runtime"],
  problem: AttentionProblem,
  call: PeerCall<Tensor>,
) {
  const { batch, queryHeads, queryLength, keyLength, causal } = problem;
  const { bound } = call;
  const { offsets, kvLengths } = bound;
  // The operator's offset is 0, or nonpad_kv_seqlen − queryLength where that is given.
  const nonpad = offsets.every((offset, b) => offset === (kvLengths[b] as number) - queryLength);
  const atZero = offsets.every((offset) => offset === 0);
  const useNonpad = problem.kvLengths ? nonpad || !causal : causal && !atZero && nonpad;
  // It knows no window.
  const own = problem.window === null && (useNonpad || (!problem.kvLengths && atZero));
  const full = [batch, queryHeads, queryLength, keyLength];
  const float = (t: typeof bound.query) =>
    call.form(
      t,
      "plain",
      (host) => new OrtTensor("float32", dense<Float32Array>(host), [...host.shape]),
    );
  const feeds: Record<string, Tensor> = {
    Q: float(bound.query),
    K: float(bound.key),
    V: float(bound.value),
  };
  let mask: AttentionModel["mask"] = null;
  const seen = own ? null : positionMask(problem, bound);
  const bias = perScore(problem, call, bound.bias);
  const given = perScore(problem, call, bound.mask);
  if (bias) {
    mask = "float";
    const values = Float32Array.from(bias, (value, at) =>
      seen && !seen[seenAt(at, problem)] ? Number.NEGATIVE_INFINITY : value,
    );
    feeds.attn_mask = new OrtTensor("float32", values, full);
  } else if (given || !own) {
    mask = "bool";
    const values = Uint8Array.from({ length: elementCount(full) }, (_, at) =>
      (given?.[at] ?? 1) && (seen?.[seenAt(at, problem)] ?? 1) ? 1 : 0,
    );
    feeds.attn_mask = new OrtTensor("bool", values, full);
  }
  if (useNonpad) {
    feeds.nonpad_kv_seqlen = new OrtTensor("int64", BigInt64Array.from(kvLengths, BigInt), [batch]);
  }
  return { model: modelOf(problem, { causal: causal && own, mask, nonpad: useNonpad }), feeds };
}

/** From an element of `[batch, heads, queries, keys]` to that of `[batch, 1, queries, keys]`. */
function seenAt(at: number, { queryHeads, queryLength, keyLength }: AttentionProblem): number {
  const matrix = queryLength * keyLength;
  return Math.floor(at / (matrix * queryHeads)) * matrix + (at % matrix);
}
