import { encodeModel } from "@heed/backend-onnx/model";
import { describeProblem, splitHeads, tensor } from "@heed/core";
import { attentionGraph, fusedOperator, fusedReasons, hostFeeds } from "@heed/peers/onnx";
import { median } from "simple-statistics";

/** Copies of the operator beyond the first. */
const further = 4;

/**
 * onnxruntime-node's WebGPU provider. It keeps its device to itself and copies inputs at every run, so
 * that neither timestamps nor one run's time say what its kernels take. A graph of several copies, each
 * with the output of the one before as its query, does: what a further copy takes is theirs.
 *
 * @param warmUp brings the GPU's clock up
 */
export async function openOnnxruntime(warmUp) {
  let runtime;
  try {
    runtime = (await import("onnxruntime-node")).default;
    runtime.env.logLevel = "error";
  } catch (error) {
    return { missing: error.message };
  }
  const create = (graph) =>
    runtime.InferenceSession.create(encodeModel(graph), {
      executionProviders: ["webgpu"],
      // Otherwise nodes that the GPU cannot run fall back to the CPU silently.
      extra: { session: { disable_cpu_ep_fallback: "1" } },
    });
  return {
    time: async (kind, inputs, judge, runs) => {
      const problem = describeProblem(inputs);
      const reason = refusal(kind, problem);
      if (reason) return { reason };
      try {
        const graph = attentionGraph(kind, problem);
        const feeds = hostFeeds(kind, runtime.Tensor, problem, inputs);
        const one = await create(graph);
        const several = await create(copies(graph, 1 + further));
        const { output } = await one.run(feeds, ["output"]);
        const t = tensor(output.data, output.dims);
        const { wrong } = judge(kind === "fused" ? splitHeads(t, problem.queryHeads) : t);
        await several.run(feeds, ["output"]);
        await warmUp();
        const times = [];
        for (let i = 0; i < runs; i++) {
          const alone = await timed(() => one.run(feeds, ["output"]));
          const together = await timed(() => several.run(feeds, ["output"]));
          times.push((together - alone) / further);
        }
        await one.release();
        await several.release();
        const kernel = kind === "fused" ? fusedOperator(problem) : "MatMul, Softmax, MatMul";
        return { ms: median(times), kernel, wrong };
      } catch (error) {
        return { reason: error.message.split("\n")[0] };
      }
    },
  };
}

function refusal(kind, problem) {
  if (problem.dtype !== "float32") return "its graphs are built for float32 alone";
  if (kind === "matmul") return null;
  return fusedReasons(problem)[0]?.message ?? null;
}

async function timed(run) {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

/** The graph's nodes several times, one after another. */
function copies(graph, count) {
  const made = new Set(graph.nodes.flatMap(({ outputs }) => outputs));
  const nodes = [];
  for (let copy = 0; copy < count; copy++) {
    const of = (name, nth) => (nth === count - 1 ? name : `${name} of copy ${nth}`);
    const inner = (name) => {
      if (name === "query" && copy > 0) return of("output", copy - 1);
      return made.has(name) ? of(name, copy) : name;
    };
    for (const node of graph.nodes) {
      nodes.push({
        ...node,
        inputs: node.inputs.map(inner),
        outputs: node.outputs.map(inner),
      });
    }
  }
  return { ...graph, nodes };
}
