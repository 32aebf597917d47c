import {
  type AttentionOutputs,
  type AttentionProblem,
  attention,
  type BackendInfo,
  type BoundAttention,
  broadcastTo,
  contiguous,
  type DeviceMemory,
  type DeviceStorage,
  defineBackend,
  deviceTensor,
  elementCount,
  type HostTensor,
  InvalidInputError,
  implement,
  isDeviceTensor,
  type Provider,
  type SupportReason,
  storageOf,
  type Tensor,
  type TensorLayout,
  toFloat64,
  visibleBand,
  zeros,
} from "@heed/core";
import { type PeerLimits, reasonsWithin } from "./limits.js";

/** Somebody else's attention, once it is loaded. `Form` is what the library has for a tensor. */
export interface Peer<Form = never> {
  readonly info: BackendInfo;
  readonly limits: PeerLimits;
  /** Other reasons to refuse than limits. */
  readonly refuses?: (problem: AttentionProblem) => readonly SupportReason[];
  /** Releases what the library has for a tensor. */
  readonly drop?: (form: Form) => void;
  plan(problem: AttentionProblem): PeerPlan<Form> | Promise<PeerPlan<Form>>;
}

/** A problem made ready to run on a peer. */
export interface PeerPlan<Form = never> {
  /** The kernel that runs, named as the library names it. */
  readonly kernel: string;
  /** Computes; the outputs are in JavaScript's memory when it resolves. */
  run(call: PeerCall<Form>): Promise<AttentionOutputs<HostTensor>>;
  dispose?(): void;
}

/** One call: its bound inputs, and access to their values. */
export interface PeerCall<Form = never> {
  readonly bound: BoundAttention;
  /** A tensor's values in JavaScript's memory, wherever it lies. */
  host(t: Tensor): HostTensor;
  /**
   * The library's own tensor of a tensor: kept with one that has been uploaded, so that it is made once;
   * made for this call alone of one in JavaScript's memory.
   *
   * @param name of the form, where a tensor may have several, as one for each place in a call
   */
  form(t: Tensor, name: string, make: (t: HostTensor) => Form): Form;
}

/**
 * A peer as a provider, so that the benchmark and the suite treat it as any other. It is there to be
 * compared with, not to be used.
 */
export function peerProvider<Form = never>(
  name: string,
  load: () => Promise<Peer<Form>>,
): Provider {
  return defineBackend({
    name,
    load,
    info: ({ info }) => info,
    memory: (peer): DeviceMemory => {
      const hold = (host: HostTensor) =>
        deviceTensor(new PeerStorage(name, host, peer.drop as (form: unknown) => void), host);
      return {
        upload: async (t) => hold(contiguous(t)),
        allocate: (dtype, shape) => hold(zeros(dtype, shape)),
      };
    },
    operations: {
      attention: implement(attention, {
        decide: (problem, peer: Peer<Form>) => {
          const reasons = [
            ...reasonsWithin(name, problem, peer.limits),
            ...(peer.refuses?.(problem) ?? []),
          ];
          return reasons.length > 0 ? { reasons } : { decision: undefined };
        },
        plan: async (problem, _decision, peer: Peer<Form>) => {
          const plan = await peer.plan(problem);
          return {
            description: { kernel: plan.kernel, tiles: {}, workspaceBytes: 0, dispatches: 1 },
            run: (bound) => runCall(name, peer, plan, bound as BoundAttention),
            dispose: () => plan.dispose?.(),
          };
        },
      }),
    },
  });
}

/** Memory of a peer: a tensor as it came, with what the library has made of it. */
class PeerStorage implements DeviceStorage {
  readonly backend: string;
  readonly host: HostTensor;
  readonly #drop: ((form: unknown) => void) | undefined;
  readonly #forms = new Map<string, unknown>();

  constructor(backend: string, host: HostTensor, drop: ((form: unknown) => void) | undefined) {
    this.backend = backend;
    this.host = host;
    this.#drop = drop;
  }

  form(name: string, make: () => unknown): unknown {
    if (!this.#forms.has(name)) this.#forms.set(name, make());
    return this.#forms.get(name);
  }

  async read({ shape, strides, offset }: TensorLayout): Promise<HostTensor> {
    return contiguous({ ...this.host, shape, strides, offset });
  }

  release(): void {
    for (const form of this.#forms.values()) this.#drop?.(form);
    this.#forms.clear();
  }
}

async function runCall<Form>(
  name: string,
  peer: Peer<Form>,
  plan: PeerPlan<Form>,
  bound: BoundAttention,
): Promise<AttentionOutputs> {
  const made: Form[] = [];
  let resident = false;
  const call: PeerCall<Form> = {
    bound,
    host: (t) => {
      if (!isDeviceTensor(t)) return t;
      const { host } = storage(name, t);
      return {
        ...host,
        shape: t.shape,
        strides: t.strides ?? host.strides,
        offset: t.offset ?? host.offset,
      };
    },
    form: (t, form, make) => {
      if (isDeviceTensor(t)) {
        const held = storage(name, t);
        // A view is another tensor than the one that was uploaded.
        const layout = `${form} ${t.shape} ${t.strides} ${t.offset}`;
        return held.form(layout, () => make(call.host(t))) as Form;
      }
      const one = make(t);
      made.push(one);
      return one;
    },
  };
  resident = bound.reads.some(isDeviceTensor);
  try {
    const outputs = await plan.run(call);
    return Object.fromEntries(
      Object.entries(outputs).map(([key, given]: [string, HostTensor]) => {
        // Libraries have layouts of their own; what a backend returns is row-major.
        const t = contiguous(given);
        return [key, resident ? deviceTensor(new PeerStorage(name, t, undefined), t) : t];
      }),
    ) as unknown as AttentionOutputs;
  } finally {
    for (const form of made) peer.drop?.(form);
  }
}

function storage(name: string, t: Tensor): PeerStorage {
  const found = isDeviceTensor(t) ? storageOf(t, PeerStorage) : null;
  if (!found)
    throw new InvalidInputError("inputs", `tensors of ${name}`, "a tensor of another kind");
  return found;
}

/**
 * A mask or a bias, wherever it lies, with an element for each score: `[batch, queryHeads, queryLength,
 * keyLength]`.
 */
export function perScore<Form>(
  p: AttentionProblem,
  call: PeerCall<Form>,
  t: Tensor | null,
): Float64Array | null {
  if (t === null) return null;
  const full = [p.batch, p.queryHeads, p.queryLength, p.keyLength];
  return toFloat64(broadcastTo(call.host(t), full));
}

/** A tensor's elements, row-major, in an array that is exactly as long. */
export function dense<A>(t: HostTensor): A {
  const { data, offset, shape } = contiguous(t);
  return data.slice(offset, offset + elementCount(shape)) as A;
}

/** `[batch, 1, queryLength, keyLength]`: what causal, window and lengths leave, as 0 or 1. */
export function positionMask(
  problem: AttentionProblem,
  { offsets, kvLengths }: Pick<BoundAttention, "offsets" | "kvLengths">,
): Uint8Array {
  const { batch, queryLength, keyLength } = problem;
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
export function startsAtZero({ offsets }: Pick<BoundAttention, "offsets">): boolean {
  return offsets.every((offset) => offset === 0);
}

/**
 * Keeps what has been made of a call's positions: it is the same for every call of a benchmark, and as
 * large as the scores.
 */
export function keepByPositions<T>(
  make: (bound: BoundAttention) => T,
  drop: (value: T) => void = () => {},
): { of(bound: BoundAttention): T; dispose(): void } {
  let kept: { readonly key: string; readonly value: T } | null = null;
  return {
    of: (bound) => {
      const key = `${bound.offsets} ${bound.kvLengths}`;
      if (kept?.key !== key) {
        if (kept) drop(kept.value);
        kept = { key, value: make(bound) };
      }
      return kept.value;
    },
    dispose: () => {
      if (kept) drop(kept.value);
      kept = null;
    },
  };
}
