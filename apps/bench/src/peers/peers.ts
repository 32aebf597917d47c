import type { Contender } from "../contenders/contender.js";
import { jax } from "./jax.js";
import { naive } from "./naive.js";
import { type OnnxPlace, onnxruntime } from "./onnx/contender.js";
import type { GraphKind } from "./onnx/graphs.js";
import { tfjs, type WasmPaths } from "./tfjs.js";

export interface PeerOptions {
  /** For those that can use more than one. */
  readonly threads: number;
  /** For TensorFlow.js, where it cannot find its own. */
  readonly tfjsWasm?: WasmPaths | undefined;
}

type PeerFactory = (options: PeerOptions) => Contender;

function onnxPeers(
  where: OnnxPlace["package"],
  provider: OnnxPlace["provider"],
  kinds: readonly GraphKind[],
): Record<string, PeerFactory> {
  return Object.fromEntries(
    kinds.map((kind) => {
      const make: PeerFactory = ({ threads }) =>
        onnxruntime({ package: where, provider }, kind, threads);
      return [make({ threads: 1 }).name, make];
    }),
  );
}

const peerFactories: Readonly<Record<string, PeerFactory>> = {
  naive: () => naive(),
  "jax-js": () => jax(),
  "tfjs-wasm": ({ threads, tfjsWasm }) => tfjs(threads, tfjsWasm ?? null),
  ...onnxPeers("web", "cpu", ["attention", "fused", "matmul"]),
  // The standard operator does not run on its WebGPU provider.
  ...onnxPeers("web", "webgpu", ["fused", "matmul"]),
  ...onnxPeers("node", "cpu", ["attention", "fused", "matmul"]),
  ...onnxPeers("node", "webgpu", ["fused", "matmul"]),
};

/** Other ways to compute attention in JavaScript, to compare with. */
export const peerNames: readonly string[] = Object.keys(peerFactories);

/** @param name one of {@link peerNames} */
export function peerByName(name: string, options: PeerOptions): Contender {
  const factory = peerFactories[name];
  if (!factory) throw new RangeError(`no peer ${name}; known: ${peerNames.join(", ")}`);
  return factory(options);
}
