import {
  type AttentionInputs,
  type AttentionProblem,
  BackendUnavailableError,
  contiguous,
  type HostTensor,
  tensor,
  transpose,
} from "@heed/core";
import type { Contender, ContenderPlan, LoadedContender } from "../contenders/contender.js";
import { importPeer } from "./import-peer.js";
import { type PeerLimits, supportWithin } from "./limits.js";

const limits: PeerLimits = {
  peer: "@jax-js/jax",
  dtypes: ["float32"],
  features: ["causal", "window", "kvLengths"],
};

type Jax = typeof import("@jax-js/jax");
type JaxArray = Parameters<Jax["nn"]["dotProductAttention"]>[0];

/** `nn.dotProductAttention` of @jax-js/jax on its wasm device, jitted, arrays kept on the device. */
export function jax(): Contender {
  return {
    name: "jax-js",
    kind: "peer",
    load: async () => {
      await polyfillIterators();
      const lib = await importPeer("@jax-js/jax", () => import("@jax-js/jax"));
      if (!(await withoutForeignWorkers(() => lib.init("wasm"))).includes("wasm")) {
        throw new BackendUnavailableError("@jax-js/jax has no wasm device here");
      }
      lib.defaultDevice("wasm");
      return loaded(lib);
    },
  };
}

/** @jax-js/jax 0.1 calls iterator helpers, which came with Node 22; goes when Node 20 does. */
async function polyfillIterators(): Promise<void> {
  if ("Iterator" in globalThis) return;
  const specifier = "core-js/actual/iterator/index.js";
  await importPeer("core-js", () => import(/* @vite-ignore */ specifier));
}

/**
 * onnxruntime-web puts Node's own Worker class on the global object. @jax-js/jax takes that for a
 * browser's, which it is not, and from then on mixes shared and unshared memory. It looks for the
 * name while it sets up, compiles and reads, all of it before its first pause.
 */
function withoutForeignWorkers<T>(call: () => T): T {
  const scope = globalThis as { Worker?: unknown };
  if (!("process" in globalThis) || scope.Worker === undefined) return call();
  const { Worker } = scope;
  scope.Worker = undefined;
  try {
    return call();
  } finally {
    scope.Worker = Worker;
  }
}

function loaded(lib: Jax): LoadedContender {
  return {
    info: {
      runtime: "WebAssembly",
      device: "CPU",
      features: [],
      threads: "process" in globalThis ? 1 : navigator.hardwareConcurrency,
      notes: ["its number of threads cannot be chosen: all of a browser's, one in Node"],
    },
    supports: (problem) => supportWithin(problem, limits),
    plan: async (problem) => plan(lib, problem),
    dispose: () => {},
  };
}

function plan(lib: Jax, problem: AttentionProblem): ContenderPlan {
  const { nn, numpy: np } = lib;
  const { causal, window, scale, keyLength } = problem;
  const options = {
    scale,
    isCausal: causal,
    ...(window && {
      localWindowSize: [window.left ?? keyLength, window.right ?? keyLength] as [number, number],
    }),
  };
  // Arguments of a jitted function are arrays, all of them: no mask is another function.
  const full = lib.jit((q: JaxArray, k: JaxArray, v: JaxArray) =>
    nn.dotProductAttention(q, k, v, options),
  );
  const masked = lib.jit((q: JaxArray, k: JaxArray, v: JaxArray, mask: JaxArray) =>
    nn.dotProductAttention(q, k, v, { ...options, mask }),
  );
  return {
    kernel: "nn.dotProductAttention, jitted",
    workspaceBytes: null,
    place: async (inputs) => {
      // [batch, heads, length, headDim] to the library's [batch, length, heads, headDim]
      const array = (t: HostTensor) => {
        const swapped = contiguous(transpose(t, [0, 2, 1, 3]));
        return np.array(swapped.data as Float32Array, { shape: [...swapped.shape] });
      };
      const q = array(inputs.query);
      const k = array(inputs.key);
      const v = array(inputs.value);
      const mask = inputs.kvLengths ? lengthMask(lib, problem, inputs) : null;
      return {
        inputs: "resident",
        // A call consumes its arguments unless it is given another reference.
        run: async () => {
          const { shape, data } = withoutForeignWorkers(() => {
            const out = mask ? masked(q.ref, k.ref, v.ref, mask.ref) : full(q.ref, k.ref, v.ref);
            return { shape: [...out.shape], data: out.data() };
          });
          return transpose(tensor((await data) as Float32Array, shape), [0, 2, 1, 3]);
        },
        dispose: () => {
          for (const held of [q, k, v, mask]) held?.dispose();
        },
      };
    },
    dispose: () => {
      full.dispose();
      masked.dispose();
    },
  };
}

/** `[batch, 1, 1, keyLength]`, true where the key exists. */
function lengthMask(
  { numpy: np, DType }: Jax,
  { batch, keyLength }: AttentionProblem,
  inputs: AttentionInputs<HostTensor>,
) {
  const exists = Array.from(inputs.kvLengths ?? [], (length) =>
    Array.from({ length: keyLength }, (_, j) => j < length),
  );
  return np.array(exists.flat(), { shape: [batch, 1, 1, keyLength], dtype: DType.Bool });
}
