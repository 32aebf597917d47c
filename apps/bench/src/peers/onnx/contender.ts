import {
  type AttentionProblem,
  BackendUnavailableError,
  describeProblem,
  type Support,
  splitHeads,
  tensor,
  zeros,
} from "@heed/core";
import type { InferenceSession } from "onnxruntime-web";
import { clockNote } from "../../contenders/backend-contender.js";
import type { Contender, ContenderPlan, LoadedContender } from "../../contenders/contender.js";
import type { GpuClock } from "../../contenders/gpu-clock.js";
import { messageOf } from "../../message.js";
import { importPeer } from "../import-peer.js";
import { type PeerLimits, supportWithin } from "../limits.js";
import { deviceClock, watchDevice } from "./clock.js";
import { feedsOf } from "./feeds.js";
import { fusedOperator, fusedReasons } from "./fused.js";
import type { GraphKind } from "./graphs.js";

/** What onnxruntime-web and onnxruntime-node have in common. */
type Runtime = Pick<typeof import("onnxruntime-web"), "InferenceSession" | "Tensor" | "env">;

/** Where onnxruntime runs. */
export interface OnnxPlace {
  readonly package: "web" | "node";
  readonly provider: "cpu" | "webgpu";
}

interface Package {
  readonly name: "onnxruntime-web" | "onnxruntime-node";
  readonly import: () => Promise<Runtime>;
  /** As the package calls its CPU provider. */
  readonly cpu: "wasm" | "cpu";
}

const packages: Readonly<Record<OnnxPlace["package"], Package>> = {
  web: {
    name: "onnxruntime-web",
    import: () => import("onnxruntime-web"),
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

/** What each way of writing it can be told of a problem. */
const features: Readonly<Record<GraphKind, PeerLimits["features"]>> = {
  attention: ["causal", "kvLengths", "valueDim"],
  fused: ["causal", "kvLengths", "valueDim", "window", "softcap"],
  matmul: ["causal", "kvLengths", "valueDim"],
};

const titles: Readonly<Record<GraphKind, string>> = {
  attention: "Attention",
  fused: "fused operator",
  matmul: "graph",
};

/** onnxruntime with a model of one attention. */
export function onnxruntime(place: OnnxPlace, kind: GraphKind, threads: number): Contender {
  const from = packages[place.package];
  const limits: PeerLimits = {
    peer: `${from.name}'s ${titles[kind]}`,
    dtypes: ["float32"],
    features: features[kind],
    // The cache that the fused operator takes ends where the queries do.
    ...(kind === "fused" && { bottomRight: true }),
  };
  const gpu = place.provider === "webgpu" ? "-webgpu" : "";
  return {
    name: `ort-${place.package}${gpu}/${kind}`,
    kind: "peer",
    load: async () => {
      const runtime = await importPeer(from.name, from.import);
      // Not with the page, of which most visits measure no peers.
      const { attentionModel } = await import("./graphs.js");
      runtime.env.logLevel = "error";
      if (place.package === "web") runtime.env.wasm.numThreads = threads;
      const create = (problem: AttentionProblem) =>
        createSession(runtime, place, threads, attentionModel(kind, problem));
      if (place.provider === "webgpu") {
        if (place.package === "web") await watchDevice(runtime.env.webgpu);
        await probe(create);
      }
      return loaded(runtime, place, kind, threads, limits, create);
    },
  };
}

type CreateSession = (problem: AttentionProblem) => Promise<InferenceSession>;

function createSession(
  runtime: Runtime,
  { package: where, provider }: OnnxPlace,
  threads: number,
  model: Uint8Array,
): Promise<InferenceSession> {
  return runtime.InferenceSession.create(model, {
    executionProviders: [provider === "cpu" ? packages[where].cpu : provider],
    graphOptimizationLevel: "all",
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // What the GPU cannot run would be handed to the CPU without a word.
    ...(provider === "webgpu" && { extra: { session: { disable_cpu_ep_fallback: "1" } } }),
  });
}

/** Whether there is a GPU shows when a session is made. */
async function probe(create: CreateSession): Promise<void> {
  const one = zeros("float32", [1, 1, 1, 8]);
  try {
    const session = await create(describeProblem({ query: one, key: one, value: one }));
    await session.release();
  } catch (cause) {
    const message = messageOf(cause);
    // Native code puts its source's place in front of what it says, and a line's end behind.
    const said = message.replace(/^\S+\.cc:\d+.*? was false\. /s, "").trim();
    throw new BackendUnavailableError(`its WebGPU provider does not start: ${said}`, undefined, {
      cause,
    });
  }
}

function loaded(
  runtime: Runtime,
  { package: where, provider }: OnnxPlace,
  kind: GraphKind,
  threads: number,
  limits: PeerLimits,
  create: CreateSession,
): LoadedContender {
  const gpu = provider === "webgpu";
  const found = gpu ? deviceClock({ package: where, provider }) : null;
  const clock = found && "clock" in found ? found.clock : null;
  return {
    info: {
      runtime: `${packages[where].name} ${versionOf(runtime, where)}`,
      device: gpu ? "GPU" : "CPU",
      features: [`provider ${gpu ? "webgpu" : packages[where].cpu}`],
      threads: gpu ? 1 : threads,
      ...(found && { notes: [clockNote(found)] }),
    },
    supports: (problem) => supports(kind, problem, limits),
    plan: async (problem) => plan(runtime, await create(problem), kind, problem, clock),
    dispose: () => {},
  };
}

function versionOf({ env }: Runtime, where: OnnxPlace["package"]): string {
  return env.versions[where] ?? env.versions.common;
}

function supports(kind: GraphKind, problem: AttentionProblem, limits: PeerLimits): Support {
  const support = supportWithin(problem, limits);
  if (kind !== "fused") return support;
  const reasons = [...(support.ok ? [] : support.reasons), ...fusedReasons(problem)];
  return reasons.length === 0 ? { ok: true } : { ok: false, reasons };
}

function plan(
  { Tensor }: Runtime,
  session: InferenceSession,
  kind: GraphKind,
  problem: AttentionProblem,
  clock: GpuClock | null,
): ContenderPlan {
  return {
    kernel: kernelOf(kind, problem),
    workspaceBytes: null,
    place: async (inputs) => {
      const feeds = feedsOf(kind, Tensor, problem, inputs);
      return {
        // JavaScript arrays are what it is fed here, and copied at each run.
        inputs: "host",
        run: async () => {
          const { output } = await session.run(feeds, ["output"]);
          if (!output) throw new Error("the session gave no output");
          const t = tensor(output.data as Float32Array, output.dims);
          return kind === "fused" ? splitHeads(t, problem.queryHeads) : t;
        },
        ...(clock && { deviceMs: () => clock.read() }),
        dispose: () => {},
      };
    },
    dispose: () => {
      void session.release();
    },
  };
}

/** Of the graph itself; whatever onnxruntime makes of it. */
function kernelOf(kind: GraphKind, problem: AttentionProblem): string {
  switch (kind) {
    case "attention":
      return "operator Attention, opset 23";
    case "fused":
      return `operator ${fusedOperator(problem)} of com.microsoft`;
    case "matmul":
      return "graph MatMul, Softmax, MatMul";
  }
}
