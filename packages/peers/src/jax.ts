import {
  type AttentionProblem,
  BackendUnavailableError,
  type BoundAttention,
  type HostTensor,
  type Provider,
  tensor,
  transpose,
} from "@heed/core";
import { importPeer } from "./import-peer.js";
import {
  dense,
  keepByPositions,
  type Peer,
  type PeerCall,
  type PeerPlan,
  peerProvider,
  perScore,
  positionMask,
  startsAtZero,
} from "./peer.js";

type Jax = typeof import("@jax-js/jax");
type JaxArray = ReturnType<Jax["numpy"]["array"]>;

/** `nn.dotProductAttention` of @jax-js/jax on its wasm device, jitted, arrays kept on the device. */
export function jax(): Provider {
  return peerProvider<JaxArray>("jax-js", async () => {
    await polyfillIterators();
    const lib = await importedWithoutForeignWorkers();
    if (!(await withoutForeignWorkers(() => lib.init("wasm"))).includes("wasm")) {
      throw new BackendUnavailableError("@jax-js/jax has no wasm device here");
    }
    lib.defaultDevice("wasm");
    return peer(lib);
  });
}

/** @jax-js/jax 0.1 calls iterator helpers, which came with Node 22; goes when Node 20 does. */
async function polyfillIterators(): Promise<void> {
  if ("Iterator" in globalThis) return;
  const specifier = "core-js/actual/iterator/index.js";
  await importPeer("core-js", () => import(/* @vite-ignore */ specifier));
}

/**
 * onnxruntime-web puts Node's own Worker class on the global object. @jax-js/jax takes that for a
 * browser's, which it is not, starts threads that fail, and mixes shared and unshared memory. It looks for the
 * name while it is imported, sets up, compiles and reads; all but the import before its first pause.
 */
function withoutForeignWorkers<T>(call: () => T): T {
  const restore = hideForeignWorkers();
  try {
    return call();
  } finally {
    restore();
  }
}

async function importedWithoutForeignWorkers(): Promise<Jax> {
  const restore = hideForeignWorkers();
  try {
    return await importPeer("@jax-js/jax", () => import("@jax-js/jax"));
  } finally {
    restore();
  }
}

/** @returns a function that brings them back, unless somebody else has by then */
function hideForeignWorkers(): () => void {
  const scope = globalThis as { Worker?: unknown };
  const { Worker } = scope;
  if (!("process" in globalThis) || Worker === undefined) return () => undefined;
  scope.Worker = undefined;
  return () => {
    scope.Worker ??= Worker;
  };
}

function peer(lib: Jax): Peer<JaxArray> {
  return {
    info: {
      runtime: "WebAssembly",
      device: "CPU",
      features: [],
      threads: "process" in globalThis ? 1 : navigator.hardwareConcurrency,
      notes: ["its number of threads cannot be chosen: all of a browser's, one in Node"],
    },
    limits: {
      dtypes: ["float32"],
      features: ["mask", "bias", "causal", "window", "kvLengths"],
      positions: "any",
    },
    drop: (array) => array.dispose(),
    plan: (problem) => plan(lib, problem),
  };
}

function plan(lib: Jax, problem: AttentionProblem): PeerPlan<JaxArray> {
  const { nn, numpy: np } = lib;
  const { causal, window, scale, keyLength } = problem;
  const rules = {
    isCausal: causal,
    ...(window && {
      localWindowSize: [window.left ?? keyLength, window.right ?? keyLength] as [number, number],
    }),
  };
  // Arguments of a jitted function are arrays, all of them: no mask is another function.
  const variants = new Map<string, ReturnType<typeof variant>>();
  function variant(own: boolean, masked: boolean, biased: boolean) {
    return lib.jit((q: JaxArray, k: JaxArray, v: JaxArray, ...more: JaxArray[]) =>
      nn.dotProductAttention(q, k, v, {
        scale,
        ...(own && rules),
        ...(masked && { mask: more[0] as JaxArray }),
        ...(biased && { bias: more[masked ? 1 : 0] as JaxArray }),
      }),
    );
  }
  const bools = (bytes: ArrayLike<number>, shape: number[]) =>
    np.array(Array.from(bytes, Boolean), { shape, dtype: lib.DType.Bool });
  /** Its positions start at 0; other offsets are told as a mask, and so are lengths. */
  const positions = keepByPositions<{ readonly own: boolean; readonly seen: Uint8Array | null }>(
    (bound) => {
      const own = startsAtZero(bound);
      const hidden = own ? { ...problem, causal: false, window: null } : problem;
      const needed = problem.kvLengths || (!own && (causal || window !== null));
      return { own, seen: needed ? positionMask(hidden, bound) : null };
    },
  );
  const positionArray = keepByPositions<JaxArray>(
    (bound) => {
      const { seen } = positions.of(bound);
      return bools(seen ?? [], [problem.batch, 1, problem.queryLength, keyLength]);
    },
    (array) => array.dispose(),
  );
  const maskOf = (call: PeerCall<JaxArray>): JaxArray | null => {
    const mask = perScore(problem, call, call.bound.mask);
    const { seen } = positions.of(call.bound);
    if (!mask) return seen ? positionArray.of(call.bound).ref : null;
    return bools(both(problem, mask, seen), fullShape(problem));
  };
  return {
    kernel: "nn.dotProductAttention, jitted",
    run: async (call) => {
      const { bound } = call;
      const held = (t: BoundAttention["query"]) =>
        call.form(t, "array", (host) => array(lib, host));
      const [q, k, v] = [held(bound.query), held(bound.key), held(bound.value)];
      const mask = maskOf(call);
      const added = perScore(problem, call, bound.bias);
      const bias = added && np.array(Float32Array.from(added), { shape: fullShape(problem) });
      const { own } = positions.of(bound);
      const name = `${own} ${mask !== null} ${bias !== null}`;
      const jitted = variants.get(name) ?? variant(own, mask !== null, bias !== null);
      variants.set(name, jitted);
      const more = [...(mask ? [mask] : []), ...(bias ? [bias] : [])];
      const { shape, data } = withoutForeignWorkers(() => {
        // A call consumes its arguments unless it is given another reference.
        const out = jitted(q.ref, k.ref, v.ref, ...more);
        return { shape: [...out.shape], data: out.data() };
      });
      return {
        output: transpose(tensor((await data) as Float32Array, shape), [0, 2, 1, 3]),
      };
    },
    dispose: () => {
      for (const jitted of variants.values()) jitted.dispose();
      positionArray.dispose();
    },
  };
}

/** `[batch, heads, length, headDim]` as the library's `[batch, length, heads, headDim]`. */
function array({ numpy: np }: Jax, t: HostTensor): JaxArray {
  const swapped = transpose(t, [0, 2, 1, 3]);
  return np.array(dense<Float32Array>(swapped), { shape: [...swapped.shape] });
}

function fullShape({ batch, queryHeads, queryLength, keyLength }: AttentionProblem): number[] {
  return [batch, queryHeads, queryLength, keyLength];
}

/**
 * @param mask `[batch, queryHeads, queryLength, keyLength]`
 * @param seen `[batch, 1, queryLength, keyLength]`, or null where positions hide nothing
 */
function both(
  { queryHeads, queryLength, keyLength }: AttentionProblem,
  mask: Float64Array,
  seen: Uint8Array | null,
): ArrayLike<number> {
  if (!seen) return mask;
  const matrix = queryLength * keyLength;
  return mask.map((one, at) => {
    const batch = Math.floor(at / (matrix * queryHeads));
    return one !== 0 && seen[batch * matrix + (at % matrix)] ? 1 : 0;
  });
}
