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
import { attentionGraph, type GraphKind } from "./graphs.js";
import { encodeModel, type OnnxProto } from "./model.js";

/** What onnxruntime-web and onnxruntime-node have in common. */
type Runtime = Pick<typeof import("onnxruntime-web"), "InferenceSession" | "Tensor" | "env">;

interface RuntimeChoice {
  readonly name: "onnxruntime-web" | "onnxruntime-node";
  readonly import: () => Promise<Runtime>;
  readonly runtime: string;
  readonly provider: "wasm" | "cpu";
}

const runtimes: Readonly<Record<"web" | "node", RuntimeChoice>> = {
  web: {
    name: "onnxruntime-web",
    import: () => import("onnxruntime-web"),
    runtime: "WebAssembly",
    provider: "wasm",
  },
  node: {
    name: "onnxruntime-node",
    import: async () => {
      // A CommonJS module; through a variable, as a page's bundler has no use for native code.
      const specifier = "onnxruntime-node";
      return ((await import(/* @vite-ignore */ specifier)) as { default: Runtime }).default;
    },
    runtime: "native",
    provider: "cpu",
  },
};

/** Of the graph itself; whatever onnxruntime makes of it. */
const kernels: Readonly<Record<GraphKind, string>> = {
  attention: "operator Attention, opset 23",
  matmul: "graph MatMul, Softmax, MatMul",
};

/** onnxruntime's CPU code with a model of one attention. */
export function onnxruntime(where: "web" | "node", kind: GraphKind, threads: number): Contender {
  const choice = runtimes[where];
  const limits: PeerLimits = {
    peer: `${choice.name}'s ${kind === "attention" ? "Attention" : "graph"}`,
    dtypes: ["float32"],
    features: ["causal", "kvLengths", "valueDim"],
  };
  return {
    name: `${where === "web" ? "ort-web" : "ort-node"}/${kind}`,
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
  };
  return {
    info: { runtime: choice.runtime, device: "CPU", features: [], threads },
    supports: (problem) => supportWithin(problem, limits),
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
      for (const name of ["query", "key", "value"] as const) {
        const { data, shape } = packed(inputs[name]);
        feeds[name] = new Tensor("float32", data as Float32Array, [...shape]);
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
        // Its CPU providers take JavaScript arrays and copy them into their own memory at each run.
        inputs: "host",
        run: async () => {
          const { output } = await session.run(feeds);
          if (!output) throw new Error("the session gave no output");
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
  return tensor(data as Float32Array, dense.shape);
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
