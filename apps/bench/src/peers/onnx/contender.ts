import {
  type AttentionInputs,
  type AttentionProblem,
  contiguous,
  type HostTensor,
  tensor,
} from "@heed/core";
import type { InferenceSession, Tensor } from "onnxruntime-web";
import type { Contender, ContenderPlan, LoadedContender } from "../../contenders/contender.js";
import { hidingBias, hidingBiasShape } from "../hiding-bias.js";
import { importPeer } from "../import-peer.js";
import { type PeerLimits, supportWithin } from "../limits.js";
import { fusedInputs, fusedOutput, fusedReasons } from "./fused.js";
import { attentionGraph, type GraphKind } from "./graphs.js";
import { encodeModel, type OnnxProto } from "./model.js";

/** What onnxruntime-web and onnxruntime-node have in common. */
type Runtime = Pick<typeof import("onnxruntime-web"), "InferenceSession" | "Tensor" | "env">;

interface RuntimeChoice {
  readonly name: "onnxruntime-web" | "onnxruntime-node";
  readonly import: () => Promise<Runtime>;
  readonly runtime: string;
  readonly provider: "wasm" | "cpu" | "webgpu";
  readonly device: string;
}

/** Where a model runs: on the CPU in onnxruntime-web or -node, or on the latter's WebGPU provider. */
export type OnnxPlace = "web" | "node" | "node-webgpu";

const runtimes: Readonly<Record<OnnxPlace, RuntimeChoice>> = {
  web: {
    name: "onnxruntime-web",
    import: () => import("onnxruntime-web"),
    runtime: "WebAssembly",
    provider: "wasm",
    device: "CPU",
  },
  node: {
    name: "onnxruntime-node",
    import: importNode,
    runtime: "native",
    provider: "cpu",
    device: "CPU",
  },
  "node-webgpu": {
    name: "onnxruntime-node",
    import: importNode,
    runtime: "WebGPU, native",
    provider: "webgpu",
    device: "its own choice of adapter",
  },
};

/** A CommonJS module; through a variable, as a page's bundler has no use for native code. */
async function importNode(): Promise<Runtime> {
  const specifier = "onnxruntime-node";
  return ((await import(/* @vite-ignore */ specifier)) as { default: Runtime }).default;
}

const prefixes: Readonly<Record<OnnxPlace, string>> = {
  web: "ort-web",
  node: "ort-node",
  "node-webgpu": "ort-webgpu",
};

/** Of the graph itself; whatever onnxruntime makes of it. */
const kernels: Readonly<Record<GraphKind, string>> = {
  attention: "operator Attention, opset 23",
  matmul: "graph MatMul, Softmax, MatMul",
  fused: "operator MultiHeadAttention or GroupQueryAttention",
};

const titles: Readonly<Record<GraphKind, string>> = {
  attention: "Attention",
  matmul: "graph",
  fused: "fused attention",
};

/** onnxruntime with a model of one attention. */
export function onnxruntime(where: OnnxPlace, kind: GraphKind, threads: number): Contender {
  const choice = runtimes[where];
  const limits: PeerLimits = {
    peer: `${choice.name}'s ${titles[kind]}`,
    dtypes: ["float32"],
    features: kind === "fused" ? ["causal"] : ["causal", "kvLengths", "valueDim"],
  };
  return {
    name: `${prefixes[where]}/${kind}`,
    kind: "peer",
    load: async () => {
      const runtime = await importPeer(choice.name, choice.import);
      const { default: proto } = await importPeer("onnx-proto", () => import("onnx-proto"));
      runtime.env.logLevel = "error";
      if (where === "web") runtime.env.wasm.numThreads = threads;
      return loaded(runtime, choice, proto.onnx, kind, threads, limits);
    },
  };
}

function loaded(
  runtime: Runtime,
  choice: RuntimeChoice,
  proto: OnnxProto,
  kind: GraphKind,
  threads: number,
  limits: PeerLimits,
): LoadedContender {
  const options: InferenceSession.SessionOptions = {
    executionProviders: [choice.provider],
    graphOptimizationLevel: "all",
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // Nodes that its WebGPU provider does not have would go to the CPU without a word.
    ...(choice.provider === "webgpu" && {
      extra: { session: { disable_cpu_ep_fallback: "1" } },
    }),
  };
  return {
    info: { runtime: choice.runtime, device: choice.device, features: [], threads },
    supports: (problem) => {
      const support = supportWithin(problem, limits);
      const reasons = kind === "fused" ? fusedReasons(problem) : [];
      if (reasons.length === 0) return support;
      return { ok: false, reasons: [...(support.ok ? [] : support.reasons), ...reasons] };
    },
    plan: async (problem) => {
      const model = encodeModel(proto, attentionGraph(kind, problem));
      const session = await runtime.InferenceSession.create(model, options);
      return plan(runtime, session, kind, problem);
    },
    dispose: () => {},
  };
}

function plan(
  { Tensor }: Runtime,
  session: InferenceSession,
  kind: GraphKind,
  problem: AttentionProblem,
): ContenderPlan {
  return {
    kernel: kernels[kind],
    workspaceBytes: null,
    place: async (inputs) => {
      const feeds: Record<string, Tensor> = {};
      const { query, key, value } = inputs;
      const tensors = kind === "fused" ? fusedInputs(problem, inputs) : { query, key, value };
      for (const [name, t] of Object.entries(tensors)) {
        const { data, shape } = packed(t);
        feeds[name] =
          t.dtype === "int32"
            ? new Tensor("int32", data as Int32Array, [...shape])
            : new Tensor("float32", data as Float32Array, [...shape]);
      }
      if (kind === "attention" && problem.kvLengths) {
        const { batch, queryLength, keyLength } = problem;
        const shape = [batch, 1, queryLength, keyLength];
        feeds.mask = new Tensor("bool", lengthMask(problem, inputs), shape);
      }
      if (kind === "matmul" && (problem.causal || problem.kvLengths)) {
        const [batches, , rows, keys] = hidingBiasShape(problem);
        // Rows of different heads are told apart while it is added: see `matmulGraph`.
        feeds.bias = new Tensor("float32", hidingBias(problem, inputs), [
          batches,
          1,
          1,
          rows,
          keys,
        ]);
      }
      return {
        // It takes JavaScript arrays and copies them into memory of its own at each run.
        inputs: "host",
        run: async () => {
          const { output } = await session.run(feeds, ["output"]);
          if (!output) throw new Error("the session gave no output");
          if (kind === "fused") return fusedOutput(problem, output.data as Float32Array);
          return tensor(output.data as Float32Array, output.dims);
        },
        dispose: () => {},
      };
    },
    dispose: () => {
      void session.release();
    },
  };
}

/** Row-major without gaps, and nothing else in the array. */
function packed(t: HostTensor): HostTensor {
  const dense = contiguous(t);
  const count = dense.shape.reduce((a, b) => a * b, 1);
  const data = dense.data.subarray(dense.offset, dense.offset + count);
  return { ...dense, data, offset: 0 };
}

/** `[B, 1, Lq, Lk]`, 1 where the key exists. */
function lengthMask(p: AttentionProblem, inputs: AttentionInputs): Uint8Array {
  const mask = new Uint8Array(p.batch * p.queryLength * p.keyLength);
  for (let b = 0; b < p.batch; b++) {
    const length = inputs.kvLengths?.[b] ?? p.keyLength;
    for (let i = 0; i < p.queryLength; i++) {
      const row = (b * p.queryLength + i) * p.keyLength;
      mask.fill(1, row, row + length);
    }
  }
  return mask;
}
