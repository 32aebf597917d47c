import {
  type AttentionProblem,
  BackendUnavailableError,
  type BoundAttention,
  type Provider,
  tensor,
} from "@heed/core";
import type { Tensor, Tensor3D } from "@tensorflow/tfjs-core";
import { importPeer } from "./import-peer.js";
import type { WasmPaths } from "./options.js";
import {
  dense,
  keepByPositions,
  type Peer,
  type PeerCall,
  type PeerPlan,
  peerProvider,
  perScore,
  positionMask,
} from "./peer.js";

type Tfjs = typeof import("@tensorflow/tfjs-core");

export interface TfjsOptions {
  readonly backend: "cpu" | "wasm";
  readonly threads: number;
  readonly wasmPaths?: WasmPaths | undefined;
}

/**
 * TensorFlow.js, which has no attention of its own, as it is composed by hand everywhere: matMul, a mask
 * that adds −10⁹ where it hides, as in TensorFlow's own tutorial on transformers, softmax, matMul; tensors
 * kept on its device.
 */
export function tfjs({ backend, threads, wasmPaths }: TfjsOptions): Provider {
  return peerProvider<Tensor3D>(backend === "cpu" ? "tfjs" : "tfjs-wasm", async () => {
    const tf = await importPeer("@tensorflow/tfjs-core", () => import("@tensorflow/tfjs-core"));
    const used =
      backend === "cpu" ? await startCpu(tf) : await startWasm(tf, threads, wasmPaths ?? null);
    return peer(tf, backend, used, threads);
  });
}

async function startCpu(tf: Tfjs): Promise<number> {
  await importPeer("@tensorflow/tfjs-backend-cpu", () => import("@tensorflow/tfjs-backend-cpu"));
  await tf.setBackend("cpu");
  return 1;
}

/** @returns the number of threads that it runs on */
async function startWasm(tf: Tfjs, threads: number, wasmPaths: WasmPaths | null): Promise<number> {
  const wasm = await importPeer(
    "@tensorflow/tfjs-backend-wasm",
    () => import("@tensorflow/tfjs-backend-wasm"),
  );
  if (wasmPaths) {
    wasm.setWasmPaths({ ...wasmPaths });
    // Its threads run the text of a function, which is broken once a bundler has renamed what
    // stands around it (4.22).
    tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  }
  wasm.setThreadsCount(threads);
  if (!(await tf.setBackend("wasm"))) {
    throw new BackendUnavailableError("TensorFlow.js cannot start its wasm backend here");
  }
  const threaded = await tf.env().getAsync("WASM_HAS_MULTITHREAD_SUPPORT");
  return threaded ? wasm.getThreadsCount() : 1;
}

function peer(
  tf: Tfjs,
  backend: TfjsOptions["backend"],
  threads: number,
  asked: number,
): Peer<Tensor3D> {
  const simd = backend === "wasm" && tf.env().getBool("WASM_HAS_SIMD_SUPPORT");
  return {
    info: {
      runtime: backend === "wasm" ? "WebAssembly" : "JavaScript",
      device: "CPU",
      features: simd ? ["simd128"] : [],
      threads,
      ...(threads < asked && { notes: ["its threads do not work in a bundled page, nor in Node"] }),
    },
    limits: {
      dtypes: ["float32"],
      features: [
        "mask",
        "bias",
        "causal",
        "window",
        "kvLengths",
        "ALiBi",
        "softcap",
        "value head size",
        "weights",
      ],
      positions: "any",
      // Its softmax alone makes several tensors of the scores' size, in a memory of 2 GiB at most.
      mostScoreBytes: 2 ** 28,
    },
    drop: (t) => t.dispose(),
    plan: (problem) => plan(tf, backend, problem),
  };
}

function plan(tf: Tfjs, backend: TfjsOptions["backend"], p: AttentionProblem): PeerPlan<Tensor3D> {
  const hides = p.causal || p.window !== null || p.kvLengths;
  const hiding = keepByPositions<Tensor>(
    (bound) => {
      const values = Float32Array.from(positionMask(p, bound), hidden);
      return tf.tensor(values, [p.batch, 1, p.queryLength, p.keyLength]);
    },
    (t) => t.dispose(),
  );
  return {
    kernel: "matMul, softmax, matMul",
    run: async (call) => {
      // TensorFlow.js has one global backend, and another provider may have switched it.
      if (tf.getBackend() !== backend) await tf.setBackend(backend);
      const bias = hides ? hiding.of(call.bound) : null;
      const [output, weights] = attend(tf, p, call, bias);
      const read = async (t: Tensor, shape: readonly number[]) => {
        const data = (await t.data()) as Float32Array;
        t.dispose();
        return tensor(data, shape);
      };
      const rows = [p.batch, p.queryHeads, p.queryLength];
      return {
        output: await read(output, [...rows, p.valueDim]),
        ...(weights && { weights: await read(weights, [...rows, p.keyLength]) }),
      };
    },
    dispose: () => hiding.dispose(),
  };
}

/** @param positions `[batch, 1, queryLength, keyLength]` to add, or null where nothing is hidden */
function attend(
  tf: Tfjs,
  p: AttentionProblem,
  call: PeerCall<Tensor3D>,
  positions: Tensor | null,
): [output: Tensor, weights?: Tensor] {
  const { bound } = call;
  const heads = p.batch * p.kvHeads;
  const group = p.queryHeads / p.kvHeads;
  // The query heads of a group are stacked, so that keys are not repeated.
  const form = (t: BoundAttention["query"], rows: number, dim: number) =>
    call.form(t, `${rows}`, (host) => tf.tensor3d(dense<Float32Array>(host), [heads, rows, dim]));
  const query = form(bound.query, group * p.queryLength, p.headDim);
  const key = form(bound.key, p.keyLength, p.headDim);
  const value = form(bound.value, p.keyLength, p.valueDim);
  const scores = [p.batch, p.queryHeads, p.queryLength, p.keyLength];
  const bias = perScore(p, call, bound.bias);
  const mask = perScore(p, call, bound.mask);
  return tf.tidy((): Tensor[] => {
    const stacked: Tensor = tf.matMul(tf.mul(query, p.scale), key, false, true);
    let logits = stacked;
    if (p.softcap !== null) logits = tf.mul(tf.tanh(tf.div(logits, p.softcap)), p.softcap);
    const added = [
      ...(bias ? [tf.tensor(Float32Array.from(bias), scores)] : []),
      ...(bound.alibiSlopes ? [tf.tensor(alibi(p, bound), scores)] : []),
      ...(mask ? [tf.tensor(Float32Array.from(mask, hidden), scores)] : []),
      ...(positions ? [positions] : []),
    ];
    if (added.length > 0) {
      let perHead: Tensor = tf.reshape(logits, scores);
      for (const term of added) perHead = tf.add(perHead, term);
      logits = tf.reshape(perHead, stacked.shape);
    }
    const weights = tf.softmax(logits);
    return [tf.matMul(weights, value), ...(p.returns.weights ? [weights] : [])];
  }) as [output: Tensor, weights?: Tensor];
}

/** Bias that a boolean mask becomes: 0 for a visible key, −10⁹ for a hidden one. */
function hidden(visible: number): number {
  return visible ? 0 : -1e9;
}

/** ALiBi's bias for each score, `[batch, queryHeads, queryLength, keyLength]`; never positive. */
function alibi(p: AttentionProblem, { alibiSlopes, offsets }: BoundAttention): Float32Array {
  const values = new Float32Array(p.batch * p.queryHeads * p.queryLength * p.keyLength);
  for (let at = 0; at < values.length; at++) {
    const j = at % p.keyLength;
    const row = Math.floor(at / p.keyLength);
    const i = row % p.queryLength;
    const h = Math.floor(row / p.queryLength) % p.queryHeads;
    const b = Math.floor(row / (p.queryLength * p.queryHeads));
    values[at] = -(alibiSlopes?.[h] ?? 0) * Math.abs(i + (offsets[b] as number) - j);
  }
  return values;
}
