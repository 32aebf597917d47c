import type { Contender } from "../contenders/contender.js";
import { jax } from "./jax.js";
import { naive } from "./naive.js";
import { onnxruntime } from "./onnx/contender.js";
import { tfjs, type WasmPaths } from "./tfjs.js";

export interface PeerOptions {
  /** For those that can use more than one. */
  readonly threads: number;
  /** For TensorFlow.js, where it cannot find its own. */
  readonly tfjsWasm?: WasmPaths | undefined;
}

const peerFactories: Readonly<Record<string, (options: PeerOptions) => Contender>> = {
  naive: () => naive(),
  "jax-js": () => jax(),
  "tfjs-wasm": ({ threads, tfjsWasm }) => tfjs(threads, tfjsWasm ?? null),
  "ort-web/attention": ({ threads }) => onnxruntime("web", "attention", threads),
  "ort-web/matmul": ({ threads }) => onnxruntime("web", "matmul", threads),
  "ort-node/attention": ({ threads }) => onnxruntime("node", "attention", threads),
  "ort-node/matmul": ({ threads }) => onnxruntime("node", "matmul", threads),
  "ort-webgpu/matmul": ({ threads }) => onnxruntime("node-webgpu", "matmul", threads),
  "ort-webgpu/fused": ({ threads }) => onnxruntime("node-webgpu", "fused", threads),
};

/** Other ways to compute attention in JavaScript, to compare with. */
export const peerNames: readonly string[] = Object.keys(peerFactories);

/** @param name one of {@link peerNames} */
export function peerByName(name: string, options: PeerOptions): Contender {
  const factory = peerFactories[name];
  if (!factory) throw new RangeError(`no peer ${name}; known: ${peerNames.join(", ")}`);
  return factory(options);
}
