import {
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionProblem,
  type AttentionProvider,
  type BackendInfo,
  bindPositions,
  contiguous,
  type HostTensor,
  hostProvider,
  type SupportReason,
  visibleBand,
} from "@heed/core";

/** What of the semantics a peer may lack. */
const features = {
  float64: (p) => p.dtype === "float64",
  float16: (p) => p.dtype === "float16",
  "empty tensors": (p) => p.batch * p.queryHeads * p.kvHeads * p.queryLength * p.keyLength === 0,
  "grouped heads": (p) => p.queryHeads !== p.kvHeads,
  "a head size of the values": (p) => p.valueDim !== p.headDim,
  mask: (p) => p.mask !== null,
  bias: (p) => p.bias !== null,
  "mask and bias together": (p) => p.mask !== null && p.bias !== null,
  window: (p) => p.window !== null,
  ALiBi: (p) => p.alibi,
  sinks: (p) => p.sinks,
  softcap: (p) => p.softcap !== null,
  logSumExp: (p) => p.returns.logSumExp,
  weights: (p) => p.returns.weights,
  scores: (p) => p.returns.scores !== null,
} satisfies Record<string, (problem: AttentionProblem) => boolean>;

export type PeerFeature = keyof typeof features;

/** Somebody else's attention: what it lacks, and how to call it. */
export interface Peer {
  readonly info: BackendInfo;
  readonly lacks: readonly PeerFeature[];
  /** Another reason to refuse. */
  readonly refuses?: (problem: AttentionProblem) => string | null;
  readonly kernel: string;
  run(problem: AttentionProblem, inputs: PeerInputs): Promise<AttentionOutputs<HostTensor>>;
}

export type PeerInputs = AttentionInputs<HostTensor>;

/** A peer as a backend, so that the suite can judge it. It is an adapter to compare with, not to use. */
export function peerProvider(name: string, load: () => Promise<Peer>): AttentionProvider {
  return hostProvider(name, async () => {
    const peer = await load();
    return {
      info: peer.info,
      refusals: (problem) => {
        const reasons: SupportReason[] = peer.lacks
          .filter((feature) => features[feature](problem))
          .map((feature) => ({ code: feature, message: `${name} has no ${feature}` }));
        const more = peer.refuses?.(problem);
        if (more) reasons.push({ code: "other", message: more });
        return reasons;
      },
      plan: (problem) => ({
        description: { kernel: peer.kernel, tiles: {}, workspaceBytes: 0, dispatches: 1 },
        run: (_bound, inputs) => peer.run(problem, inputs),
      }),
    };
  });
}

/** A tensor's elements, row-major, in an array of their own. */
export function dense<A>(t: HostTensor): A {
  const { data, offset, shape } = contiguous(t);
  const count = shape.reduce((product, size) => product * size, 1);
  return data.slice(offset, offset + count) as A;
}

/** `[batch, 1, queryLength, keyLength]`: what causal, window and kvLengths leave, as 0 or 1. */
export function positionMask(problem: AttentionProblem, inputs: PeerInputs): Uint8Array {
  const { batch, queryLength, keyLength } = problem;
  const { offsets, kvLengths } = bindPositions(problem, inputs);
  const { left, right } = visibleBand(problem);
  const seen = new Uint8Array(batch * queryLength * keyLength);
  let at = 0;
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < queryLength; i++) {
      const p = i + (offsets[b] as number);
      for (let j = 0; j < keyLength; j++, at++) {
        seen[at] = p - left <= j && j <= p + right && j < (kvLengths[b] as number) ? 1 : 0;
      }
    }
  }
  return seen;
}

/** Whether query row 0 sits at key 0 in every batch: the one rule that most peers know. */
export function startsAtZero(problem: AttentionProblem, inputs: PeerInputs): boolean {
  return bindPositions(problem, inputs).offsets.every((offset) => offset === 0);
}
