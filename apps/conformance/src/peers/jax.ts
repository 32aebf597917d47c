import { type AttentionProblem, type HostTensor, tensor, toFloat64, transpose } from "@heed/core";
import {
  dense,
  type Peer,
  type PeerInputs,
  peerProvider,
  positionMask,
  startsAtZero,
} from "./peer.js";

type Jax = typeof import("@jax-js/jax");

/** `nn.dotProductAttention` of @jax-js/jax on its wasm device. */
export default peerProvider("jax-js", async (): Promise<Peer> => {
  // It calls iterator helpers, which came with Node 22.
  const polyfill = "core-js/actual/iterator/index.js";
  if (!("Iterator" in globalThis)) await import(/* @vite-ignore */ polyfill);
  const lib = await import("@jax-js/jax");
  await lib.init("wasm");
  lib.defaultDevice("wasm");
  return {
    info: { runtime: "WebAssembly", device: "CPU", features: [], threads: 1 },
    lacks: [
      "float64",
      "float16",
      "empty tensors",
      "a head size of the values",
      "ALiBi",
      "sinks",
      "softcap",
      "logSumExp",
      "weights",
      "scores",
    ],
    kernel: "nn.dotProductAttention",
    run: async (problem, inputs) => run(lib, problem, inputs),
  };
});

async function run(lib: Jax, problem: AttentionProblem, inputs: PeerInputs) {
  const { nn, numpy: np, DType } = lib;
  const { batch, queryLength, keyLength, causal, window, scale } = problem;
  // [batch, heads, length, size] to the library's [batch, length, heads, size]
  const array = (t: HostTensor) => {
    const swapped = transpose(t, [0, 2, 1, 3]);
    return np.array(dense<Float32Array>(swapped), { shape: [...swapped.shape] });
  };
  const rank4 = (t: HostTensor): number[] => [...new Array(4 - t.shape.length).fill(1), ...t.shape];
  const bools = (bytes: ArrayLike<number>, shape: number[]) =>
    np.array(Array.from(bytes, Boolean), { shape, dtype: DType.Bool });
  // Its positions start at 0; other offsets are told as a mask.
  const own = problem.positions === "none" || startsAtZero(problem, inputs);
  const told = own
    ? {
        isCausal: causal,
        ...(window && {
          localWindowSize: [window.left ?? keyLength, window.right ?? keyLength] as [
            number,
            number,
          ],
        }),
        ...(inputs.kvLengths && {
          keyValueSeqLengths: np.array([...inputs.kvLengths], { dtype: DType.Int32 }),
        }),
      }
    : {};
  const mask = inputs.mask && bools(toFloat64(inputs.mask), rank4(inputs.mask));
  const positions = own
    ? null
    : bools(positionMask(problem, inputs), [batch, 1, queryLength, keyLength]);
  const both = mask && positions ? np.logicalAnd(mask, positions) : (mask ?? positions);
  const bias =
    inputs.bias &&
    np.array(Float32Array.from(toFloat64(inputs.bias)), { shape: rank4(inputs.bias) });
  const output = nn.dotProductAttention(
    array(inputs.query),
    array(inputs.key),
    array(inputs.value),
    { scale, ...told, ...(both && { mask: both }), ...(bias && { bias }) },
  );
  const shape = [...output.shape];
  const data = (await output.data()) as Float32Array;
  const laid = transpose(tensor(Float32Array.from(data), shape), [0, 2, 1, 3]);
  return { output: tensor(dense<Float32Array>(laid), laid.shape) };
}
