import {
  type AttentionProblem,
  BackendUnavailableError,
  type HostTensor,
  keyHeadOf,
  type Provider,
  type Tensor,
  tensor,
} from "@heed/core";
import { importPeer } from "./import-peer.js";
import {
  dense,
  keepByPositions,
  type PeerCall,
  type PeerPlan,
  peerProvider,
  perScore,
  positionMask,
} from "./peer.js";

/** The part of @ruvector/attention 2.2 that is called; its own types name functions that it lacks. */
interface Ruvector {
  readonly DotProductAttention: new (dim: number) => DotProduct;
}

interface DotProduct {
  compute(query: Float32Array, keys: Rows, values: Rows): Float32Array;
  computeWithMask(query: Float32Array, keys: Rows, values: Rows, mask: boolean[]): Float32Array;
}

type Rows = readonly Float32Array[];

/**
 * `DotProductAttention` of @ruvector/attention, native code: one query of one head a call, over keys and
 * values that are arrays of rows. Its scale is 1/√headDim; another one is brought in with the query.
 */
export function ruvector(): Provider {
  return peerProvider<readonly Rows[]>("ruvector", async () => {
    // A CommonJS module with native code, of which a page's bundler knows nothing.
    const specifier = "@ruvector/attention";
    const imported = (await importPeer(specifier, () => import(/* @vite-ignore */ specifier))) as {
      readonly default?: Partial<Ruvector>;
    };
    const { DotProductAttention } = imported.default ?? {};
    if (!DotProductAttention) {
      throw new BackendUnavailableError("@ruvector/attention has no native code for this machine");
    }
    return {
      info: { runtime: "native code", device: "CPU", features: [], threads: 1 },
      limits: {
        dtypes: ["float32"],
        features: ["mask", "causal", "window", "kvLengths"],
        positions: "any",
        mostFlops: 2e9,
      },
      plan: (problem) => plan(problem, new DotProductAttention(problem.headDim)),
    };
  });
}

function plan(p: AttentionProblem, attention: DotProduct): PeerPlan<readonly Rows[]> {
  const hides = p.causal || p.window !== null || p.kvLengths;
  const positions = keepByPositions((bound) => positionMask(p, bound));
  return {
    kernel: "DotProductAttention, a query at a time",
    run: async (call) => {
      const seen = hides ? positions.of(call.bound) : null;
      return { output: attend(p, attention, call, seen) };
    },
  };
}

/** @param seen `[batch, 1, queryLength, keyLength]`, or null where every key is seen */
function attend(
  p: AttentionProblem,
  attention: DotProduct,
  call: PeerCall<readonly Rows[]>,
  seen: Uint8Array | null,
): HostTensor {
  const { bound } = call;
  const rows = (t: Tensor, name: string) => call.form(t, name, rowsOf);
  const [queries, keys, values] = [
    rows(bound.query, "rows"),
    rows(bound.key, "rows"),
    rows(bound.value, "rows"),
  ];
  const mask = perScore(p, call, bound.mask);
  const factor = p.scale * Math.sqrt(p.headDim);
  const output = new Float32Array(p.batch * p.queryHeads * p.queryLength * p.valueDim);
  for (let b = 0, at = 0; b < p.batch; b++) {
    for (let h = 0; h < p.queryHeads; h++) {
      const kv = b * p.kvHeads + keyHeadOf(p, h);
      for (let i = 0; i < p.queryLength; i++, at++) {
        const query = (queries[b * p.queryHeads + h] as Rows)[i] as Float32Array;
        const scaled = factor === 1 ? query : query.map((x) => x * factor);
        const given = [scaled, keys[kv] as Rows, values[kv] as Rows] as const;
        const row =
          seen || mask
            ? attention.computeWithMask(
                ...given,
                Array.from(
                  { length: p.keyLength },
                  (_, j) =>
                    (seen?.[(b * p.queryLength + i) * p.keyLength + j] ?? 1) !== 0 &&
                    (mask?.[at * p.keyLength + j] ?? 1) !== 0,
                ),
              )
            : attention.compute(...given);
        output.set(row, at * p.valueDim);
      }
    }
  }
  return tensor(output, [p.batch, p.queryHeads, p.queryLength, p.valueDim]);
}

/** `[batch · heads]` lists of rows. */
function rowsOf(t: HostTensor): readonly Rows[] {
  const [batch = 0, heads = 0, length = 0, dim = 0] = t.shape;
  const data = dense<Float32Array>(t);
  return Array.from({ length: batch * heads }, (_, bh) =>
    Array.from({ length }, (_, i) =>
      data.subarray((bh * length + i) * dim, (bh * length + i + 1) * dim),
    ),
  );
}
