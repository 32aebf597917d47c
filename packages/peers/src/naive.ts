import {
  type AttentionProblem,
  allocate,
  type BoundAttention,
  contiguous,
  type HostTensor,
  type Provider,
  tensor,
  visibleBand,
} from "@heed/core";
import { type PeerCall, peerProvider } from "./peer.js";

/**
 * The straightforward implementation: three loops over typed arrays and a softmax of one row at a
 * time. The comparison is fair in that keys ruled out by causal, window and lengths are skipped and
 * memory is walked in order; but nothing is tiled or unrolled.
 */
export function naive(): Provider {
  return peerProvider("naive", async () => ({
    info: { runtime: "JavaScript", device: "CPU", features: [], threads: 1 },
    limits: {
      dtypes: ["float32", "float64"],
      features: ["causal", "window", "kvLengths", "value head size"],
      empty: true,
      positions: "any",
      mostFlops: 5e9,
    },
    plan: (problem) => ({
      kernel: "three loops",
      run: async (call) => ({ output: attend(problem, call) }),
    }),
  }));
}

function attend(problem: AttentionProblem, { bound, host }: PeerCall): HostTensor {
  const { batch, queryHeads, kvHeads, queryLength, keyLength, headDim, valueDim } = problem;
  const { offsets, kvLengths }: BoundAttention = bound;
  const { left, right } = visibleBand(problem);
  const [queries, keysOf, valuesOf] = [bound.query, bound.key, bound.value].map((t) =>
    contiguous(host(t)),
  ) as [HostTensor, HostTensor, HostTensor];
  const query = queries.data;
  const key = keysOf.data;
  const value = valuesOf.data;
  const shape = [batch, queryHeads, queryLength, valueDim];
  const output = allocate(problem.dtype, batch * queryHeads * queryLength * valueDim);
  const row = new Float32Array(keyLength);
  const group = queryHeads / kvHeads;
  for (let bh = 0; bh < batch * queryHeads; bh++) {
    const b = Math.floor(bh / queryHeads);
    const kvHead = b * kvHeads + Math.floor((bh % queryHeads) / group);
    const keys = keysOf.offset + kvHead * keyLength * headDim;
    const values = valuesOf.offset + kvHead * keyLength * valueDim;
    for (let i = 0; i < queryLength; i++) {
      const p = i + (offsets[b] as number);
      const start = Math.max(0, p - left);
      const end = Math.min(kvLengths[b] as number, p + right + 1);
      const q = queries.offset + (bh * queryLength + i) * headDim;
      let max = Number.NEGATIVE_INFINITY;
      for (let j = start; j < end; j++) {
        let dot = 0;
        const k = keys + j * headDim;
        for (let d = 0; d < headDim; d++) dot += (query[q + d] as number) * (key[k + d] as number);
        row[j] = dot * problem.scale;
        max = Math.max(max, row[j] as number);
      }
      let sum = 0;
      for (let j = start; j < end; j++) {
        row[j] = Math.exp((row[j] as number) - max);
        sum += row[j] as number;
      }
      const o = (bh * queryLength + i) * valueDim;
      for (let j = start; j < end; j++) {
        const weight = (row[j] as number) / sum;
        const v = values + j * valueDim;
        for (let d = 0; d < valueDim; d++) {
          output[o + d] = (output[o + d] as number) + weight * (value[v + d] as number);
        }
      }
    }
  }
  return tensor(output, shape, { dtype: problem.dtype });
}
