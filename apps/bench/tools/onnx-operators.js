// Measures whether onnxruntime's own attention operators pay in the ONNX backend: each case runs as
// the backend's graph without them, and as a graph of them with the transposes that their layout needs, in
// turns on one thread of onnxruntime-node.
//
//   node tools/onnx-operators.js [--cases NAMES] [--ms 1500]
//
// in apps/bench, after a build; prints a row of Markdown a case, in CPU time of the process.
import { parseArgs } from "node:util";
import { encodeModel, GraphBuilder } from "@heed/backend-onnx/model";
import { describeProblem, tensor } from "@heed/core";
import ort from "onnxruntime-node";
import { median } from "simple-statistics";
import { backendOn } from "../../../packages/backend-onnx/dist/backend.js";
import { loadRuntime } from "../../../packages/backend-onnx/dist/runtime/load.js";
import { checkOptions } from "../../../packages/backend-onnx/dist/runtime/options.js";
import { attention } from "../dist/operations/attention/operation.js";
import { selectWorkloads } from "../dist/workloads/select.js";
import { clocks, inTurns } from "./in-turns.js";

const { values: options } = parseArgs({
  options: {
    cases: {
      type: "string",
      default:
        "vit-b16-197,dinov2-base-257,bert-base-512,whisper-encoder-1500,dinov2-base-1370,h4-l2048-d64,qwen3-0.6b-prefill-256,llama-3.2-1b-prefill-512,gemma-3-1b-global-prefill-1024,gemma-3-1b-local-prefill-1024,h4-l2048-d64-causal,h1-l8192-d64-window256",
    },
    ms: { type: "string", default: "1500" },
  },
});

const loaded = await loadRuntime(checkOptions({ provider: "cpu", threads: 1 }));
const backendFrom = (groupQueryFrom) =>
  backendOn({ ...loaded, traits: { ...loaded.traits, groupQueryFrom } });
const without = await backendFrom(null);
const withIt = await backendFrom({ operator: 0, plain: 0 });

/** MultiHeadAttention, which takes queries as `[B, L, H·D]`, and keys and values as they are. */
async function multiHead({ queryHeads, headDim, scale }, { query, key, value }) {
  const g = new GraphBuilder(18);
  const dims = (length) => ["batch", queryHeads, length, headDim];
  const [q, k, v] = [
    g.input("query", "float32", dims("queryLength")),
    g.input("key", "float32", dims("keyLength")),
    g.input("value", "float32", dims("keyLength")),
  ];
  const perm = [0, 2, 1, 3];
  const packed = g.reshape(g.op("Transpose", [q], { perm }), 0, 0, queryHeads * headDim);
  const attributes = { num_heads: queryHeads, scale: { float: scale } };
  const attended = g.op("MultiHeadAttention", [packed, k, v], attributes, "com.microsoft");
  const heads = g.reshape(attended, 0, 0, queryHeads, headDim);
  g.output("output", g.op("Transpose", [heads], { perm }), "float32", dims("queryLength"));
  const session = await ort.InferenceSession.create(encodeModel(g.build()), loaded.sessionOptions);
  const feed = (t) => new ort.Tensor("float32", t.data, t.shape);
  const feeds = { query: feed(query), key: feed(key), value: feed(value) };
  const run = async () => {
    const { output } = await session.run(feeds);
    return tensor(output.data, output.dims);
  };
  return { kernel: "MultiHeadAttention", run };
}

async function byBackend(backend, problem, inputs) {
  const plan = await backend.plan(problem);
  const run = async () => (await plan.run(inputs)).output;
  return { kernel: plan.description.kernel, run };
}

console.log("| case | graph | ms | by | as fast |");
console.log("| --- | --- | --- | --- | --- |");
for (const workload of selectWorkloads(options.cases.split(","))) {
  const inputs = await workload.load("float32");
  const problem = describeProblem(inputs);
  const plain = await byBackend(without, problem, inputs);
  const own = await byBackend(withIt, problem, inputs);
  const other = own.kernel === plain.kernel ? await multiHead(problem, inputs) : own;
  const { wrong } = attention.prepareJudge(inputs)({ output: await other.run() });
  const visits = await inTurns([plain, other], clocks.processor, Number(options.ms));
  const ratio = median(visits[0].map((ms, round) => ms / visits[1][round]));
  const cells = [
    workload.id,
    plain.kernel,
    median(visits[0]).toFixed(2),
    other.kernel + (wrong === null ? "" : " (wrong)"),
    `${ratio.toFixed(2)}×`,
  ];
  console.log(`| ${cells.join(" | ")} |`);
}
process.exit(0);
