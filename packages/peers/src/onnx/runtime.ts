import {
  type AttentionProblem,
  type BackendInfo,
  BackendUnavailableError,
  describeProblem,
  zeros,
} from "@heed/core";
import type { InferenceSession } from "onnxruntime-web";
import { importPeer, messageOf } from "../import-peer.js";

/** The API that onnxruntime-web and onnxruntime-node share, as far as it is used here. */
export type Runtime = Pick<typeof import("onnxruntime-web"), "InferenceSession" | "Tensor" | "env">;

/** Package and execution provider that onnxruntime runs with. */
export interface OnnxPlace {
  readonly package: "web" | "node";
  readonly provider: "cpu" | "webgpu";
}

interface Package {
  readonly name: "onnxruntime-web" | "onnxruntime-node";
  readonly import: (provider: OnnxPlace["provider"]) => Promise<Runtime>;
  /** The package's name for its CPU provider. */
  readonly cpu: "wasm" | "cpu";
}

const packages: Readonly<Record<OnnxPlace["package"], Package>> = {
  web: {
    name: "onnxruntime-web",
    // A page's CPU provider loads half as much from an entry of its own; Node has one entry for all.
    import: (provider) =>
      provider === "webgpu" || inNode()
        ? import("onnxruntime-web")
        : import("onnxruntime-web/wasm"),
    cpu: "wasm",
  },
  node: {
    name: "onnxruntime-node",
    import: async () => {
      // A CommonJS module; through a variable, as a page's bundler has no use for native code.
      const specifier = "onnxruntime-node";
      return ((await import(/* @vite-ignore */ specifier)) as { default: Runtime }).default;
    },
    cpu: "cpu",
  },
};

/** A runtime that has been imported, and how to make its sessions. */
export interface LoadedRuntime {
  readonly runtime: Runtime;
  readonly info: BackendInfo;
  create(model: Uint8Array): Promise<InferenceSession>;
}

/**
 * @param prepare is given the settings before the first session is made
 * @param probe a model of a tiny problem: whether there is a GPU shows when a session is made
 */
export async function loadRuntime(
  place: OnnxPlace,
  threads: number,
  prepare?: ((settings: { adapter: unknown }) => Promise<void>) | undefined,
  probe?: (problem: AttentionProblem) => Uint8Array,
): Promise<LoadedRuntime> {
  const { name, import: load, cpu } = packages[place.package];
  const gpu = place.provider === "webgpu";
  const runtime = await importPeer(name, () => load(place.provider));
  runtime.env.logLevel = "error";
  if (place.package === "web") runtime.env.wasm.numThreads = threads;
  const create = (model: Uint8Array) =>
    runtime.InferenceSession.create(model, {
      executionProviders: [gpu ? "webgpu" : cpu],
      graphOptimizationLevel: "all",
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      // Shape inference takes an output of Attention-24 to have no keys, and says so at each run.
      logSeverityLevel: 3,
      // Without this, operators that the GPU cannot run would silently run on the CPU.
      ...(gpu && { extra: { session: { disable_cpu_ep_fallback: "1" } } }),
    });
  if (gpu) {
    if (place.package === "web") await prepare?.(runtime.env.webgpu);
    const one = zeros("float32", [1, 1, 1, 8]);
    const problem = describeProblem({ query: one, key: one, value: one });
    if (probe) await tryGpu(() => create(probe(problem)));
  }
  const version = runtime.env.versions[place.package] ?? runtime.env.versions.common;
  return {
    runtime,
    info: {
      runtime: `${name} ${version}`,
      device: gpu ? "GPU" : "CPU",
      features: [`provider ${gpu ? "webgpu" : cpu}`],
      threads: gpu ? 1 : threads,
    },
    create,
  };
}

function inNode(): boolean {
  const { process } = globalThis as { process?: { versions?: { node?: string } } };
  return process?.versions?.node !== undefined;
}

async function tryGpu(create: () => Promise<InferenceSession>): Promise<void> {
  try {
    await (await create()).release();
  } catch (cause) {
    // Native code puts its source's place in front of what it says, and a line's end behind.
    const said = messageOf(cause)
      .replace(/^\S+\.cc:\d+.*? was false\. /s, "")
      .trim();
    throw new BackendUnavailableError(`its WebGPU provider does not start: ${said}`, undefined, {
      cause,
    });
  }
}
