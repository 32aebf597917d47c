/**
 * Other people's attention in JavaScript, each as a provider: what the benchmark compares with, and what
 * the conformance suite judges as it judges Heed's own.
 *
 * @module
 */
import type { Provider } from "@heed/core";
import { jax } from "./jax.js";
import { naive } from "./naive.js";
import { onnxPeer } from "./onnx/peer.js";
import type { PeerOptions } from "./options.js";
import { ruvector } from "./ruvector.js";
import { tfjs } from "./tfjs.js";

export type { PeerOptions, WasmPaths } from "./options.js";

const peers: Readonly<Record<string, (options: PeerOptions) => Provider>> = {
  naive: () => naive(),
  "jax-js": () => jax(),
  tfjs: ({ threads }) => tfjs({ backend: "cpu", threads }),
  "tfjs-wasm": ({ threads, tfjsWasm }) => tfjs({ backend: "wasm", threads, wasmPaths: tfjsWasm }),
  ruvector: () => ruvector(),
  "ort-web/attention": onnxPeer({ package: "web", provider: "cpu" }, "attention"),
  "ort-web/fused": onnxPeer({ package: "web", provider: "cpu" }, "fused"),
  "ort-web/matmul": onnxPeer({ package: "web", provider: "cpu" }, "matmul"),
  // The standard operator does not run on its WebGPU provider.
  "ort-web-webgpu/fused": onnxPeer({ package: "web", provider: "webgpu" }, "fused"),
  "ort-web-webgpu/matmul": onnxPeer({ package: "web", provider: "webgpu" }, "matmul"),
  "ort-node/attention": onnxPeer({ package: "node", provider: "cpu" }, "attention"),
  "ort-node/fused": onnxPeer({ package: "node", provider: "cpu" }, "fused"),
  "ort-node/matmul": onnxPeer({ package: "node", provider: "cpu" }, "matmul"),
  "ort-node-webgpu/fused": onnxPeer({ package: "node", provider: "webgpu" }, "fused"),
  "ort-node-webgpu/matmul": onnxPeer({ package: "node", provider: "webgpu" }, "matmul"),
};

/** Names of all. */
export const peerNames: readonly string[] = Object.keys(peers);

/**
 * @param name one of {@link peerNames}
 * @throws RangeError for another one
 */
export function peer(name: string, options: PeerOptions = { threads: 1 }): Provider {
  const make = Object.hasOwn(peers, name) ? peers[name] : undefined;
  if (!make) throw new RangeError(`no peer ${name}; known: ${peerNames.join(", ")}`);
  return make(options);
}
