import type { AttentionProvider } from "@heed/core";
import { BackendUnavailableError } from "@heed/core";
import { backendContender } from "../contenders/backend-contender.js";
import type { Contender } from "../contenders/contender.js";
import { deviceClock, watchDevice } from "../contenders/onnx-clock.js";
import { messageOf } from "../message.js";
import { groupQueryPeer } from "./group-query.js";

export interface PeerOptions {
  /** For those that can use more than one. */
  readonly threads: number;
  /** For TensorFlow.js, where it cannot find its own modules. */
  readonly tfjsWasm?: Readonly<Record<string, string>> | undefined;
}

/**
 * Other ways to compute attention in JavaScript, to compare with. They are providers of a package that is
 * not published, so that their libraries are not installed with the benchmark.
 */
export const peerNames: readonly string[] = [
  "naive",
  "jax-js",
  "tfjs-wasm",
  "ruvector",
  "ort-web/attention",
  "ort-web/fused",
  "ort-web/matmul",
  "ort-web/cache",
  "ort-web-webgpu/fused",
  "ort-web-webgpu/matmul",
  "ort-node/attention",
  "ort-node/fused",
  "ort-node/matmul",
  "ort-node/cache",
  "ort-node-webgpu/fused",
  "ort-node-webgpu/matmul",
];

/**
 * Names of peers that work in web pages: native code has no place there.
 */
export const pagePeerNames: readonly string[] = peerNames.filter(
  (name) => !name.startsWith("ort-node") && name !== "ruvector",
);

/** @param name one of {@link peerNames} */
export function peerByName(name: string, { threads, tfjsWasm }: PeerOptions): Contender {
  if (!peerNames.includes(name)) {
    throw new RangeError(`no peer ${name}; known: ${peerNames.join(", ")}`);
  }
  const cached = /^ort-(web|node)\/cache$/.exec(name);
  if (cached) return groupQueryPeer(name, cached[1] as "web" | "node", threads, importOnnx);
  const onGpu = /^ort-(web|node)-webgpu\//.exec(name);
  return backendContender(
    name,
    async (): Promise<AttentionProvider> => {
      const { peer } = await importPeers();
      return peer(name, { threads, tfjsWasm, prepareWebGpu: watchDevice });
    },
    {
      kind: "peer",
      // onnxruntime is fed JavaScript's arrays, and copies them at each run.
      ...(name.startsWith("ort-") && { inputs: "host" }),
      ...(onGpu && { clockAfterLoad: () => deviceClock(onGpu[1] as "web" | "node") }),
    },
  );
}

const importPeers = () => inThisRepository(() => import("@heed/peers"));
const importOnnx = () => inThisRepository(() => import("@heed/peers/onnx"));

/** @throws BackendUnavailableError (rejects) where the package of peers is not there */
async function inThisRepository<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    throw new BackendUnavailableError(
      (cause as { code?: unknown }).code === "ERR_MODULE_NOT_FOUND"
        ? "other libraries are measured in Heed's own repository only"
        : `@heed/peers does not load: ${messageOf(cause)}`,
      undefined,
      { cause },
    );
  }
}
