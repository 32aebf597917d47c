import {
  type AttentionInputs,
  type AttentionProblem,
  BackendUnavailableError,
  contiguous,
  type HostTensor,
  tensor,
} from "@heed/core";
import type { Tensor, Tensor3D } from "@tensorflow/tfjs-core";
import type { Contender, ContenderPlan, LoadedContender } from "../contenders/contender.js";
import { hidingBias, hidingBiasShape } from "./hiding-bias.js";
import { importPeer } from "./import-peer.js";
import { type PeerLimits, supportWithin } from "./limits.js";

const limits: PeerLimits = {
  peer: "TensorFlow.js",
  dtypes: ["float32"],
  features: ["causal", "kvLengths", "valueDim"],
  // Its softmax alone makes several tensors of the scores' size, in a memory of 2 GiB at most.
  mostScoreBytes: 2 ** 28,
};

type Tfjs = typeof import("@tensorflow/tfjs-core");

/** Where its wasm modules lie, by file name; found beside the package in Node. */
export type WasmPaths = Readonly<Record<string, string>>;

/**
 * TensorFlow.js on its wasm backend, which has no attention of its own: matMul, softmax, matMul,
 * arrays kept on its device.
 */
export function tfjs(threads: number, wasmPaths: WasmPaths | null): Contender {
  return {
    name: "tfjs-wasm",
    kind: "peer",
    load: async () => {
      const tf = await importPeer("@tensorflow/tfjs-core", () => import("@tensorflow/tfjs-core"));
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
      return loaded(tf, threaded ? wasm.getThreadsCount() : 1, threads);
    },
  };
}

function loaded(tf: Tfjs, threads: number, asked: number): LoadedContender {
  const simd = tf.env().getBool("WASM_HAS_SIMD_SUPPORT");
  return {
    info: {
      runtime: "WebAssembly",
      device: "CPU",
      features: simd ? ["simd128"] : [],
      threads,
      ...(threads < asked && { notes: ["its threads do not work in a bundled page, nor in Node"] }),
    },
    supports: (problem) => supportWithin(problem, limits),
    plan: async (problem) => plan(tf, problem),
    dispose: () => {},
  };
}

function plan(tf: Tfjs, problem: AttentionProblem): ContenderPlan {
  return {
    kernel: "matMul, softmax, matMul",
    workspaceBytes: null,
    place: async (inputs) => {
      const held = place(tf, problem, inputs);
      const { batch, queryHeads, queryLength, valueDim } = problem;
      return {
        inputs: "resident",
        run: async () => {
          const output = tf.tidy(() => attend(tf, problem, held));
          const data = (await output.data()) as Float32Array;
          output.dispose();
          return tensor(data, [batch, queryHeads, queryLength, valueDim]);
        },
        dispose: () => {
          for (const t of Object.values(held)) t?.dispose();
        },
      };
    },
    dispose: () => {},
  };
}

interface Placed {
  /** `[B·Hkv, G·Lq, D]`: the query heads of a group are stacked, so that keys are not repeated. */
  readonly query: Tensor3D;
  readonly key: Tensor3D;
  readonly value: Tensor3D;
  /** `[B or 1, 1, Lq or 1, Lk]`, null where nothing is hidden. */
  readonly bias: Tensor | null;
}

function place(tf: Tfjs, p: AttentionProblem, inputs: AttentionInputs<HostTensor>): Placed {
  const heads = p.batch * p.kvHeads;
  const group = p.queryHeads / p.kvHeads;
  const upload = (t: HostTensor, rows: number, dim: number): Tensor3D => {
    const { data, offset } = contiguous(t);
    const values = (data as Float32Array).subarray(offset, offset + heads * rows * dim);
    return tf.tensor3d(values, [heads, rows, dim]);
  };
  return {
    query: upload(inputs.query, group * p.queryLength, p.headDim),
    key: upload(inputs.key, p.keyLength, p.headDim),
    value: upload(inputs.value, p.keyLength, p.valueDim),
    bias: p.causal || p.kvLengths ? tf.tensor(hidingBias(p, inputs), hidingBiasShape(p)) : null,
  };
}

function attend(tf: Tfjs, p: AttentionProblem, { query, key, value, bias }: Placed): Tensor {
  const logits: Tensor = tf.matMul(tf.mul(query, p.scale), key, false, true);
  const perHead = [p.batch, p.queryHeads, p.queryLength, p.keyLength];
  const visible = bias
    ? tf.reshape(tf.add(tf.reshape(logits, perHead), bias), logits.shape)
    : logits;
  return tf.matMul(tf.softmax(visible), value);
}
