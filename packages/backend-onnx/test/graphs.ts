/** Which cases of the suite onnxruntime's WebAssembly and WebGPU need beside the native library, and where they run. */
import { fromBinary } from "@bufbuild/protobuf";
import { type AnyCase, caseInputs } from "@heed/conformance";
import type { CaseSelection } from "@heed/conformance/vitest";
import { type AttentionProblem, attention, describeProblem } from "@heed/core";
import { engineCases, type SyntheticCase, scope, withNewPieces } from "../../../test/select.js";
import { decideAttention } from "../src/attention/decide.js";
import { KnownFeeds } from "../src/attention/feeds.js";
import type { PreparedGraph } from "../src/attention/graph/prepare.js";
import { planAttention } from "../src/attention/plan.js";
import type { OnnxContext } from "../src/context.js";
import { ModelProtoSchema } from "../src/generated/onnx_pb.js";
import type { OnnxProvider } from "../src/runtime/options.js";
import { traitsOf } from "../src/runtime/traits.js";

/** Ends a call once its graph is known. */
class GraphFound extends Error {
  readonly graph: PreparedGraph;

  constructor(graph: PreparedGraph) {
    super("the graph of a call");
    this.graph = graph;
  }
}

class NoTensor {}

type Call = ReturnType<typeof caseInputs>;

/** The graph that a provider computes a call with, its first where there are several; null where nothing runs. */
async function graphOf(
  problem: AttentionProblem,
  call: Call,
  provider: OnnxProvider,
): Promise<PreparedGraph | null> {
  const traits = traitsOf(provider, { float16: true, largestTensor: null });
  const verdict = decideAttention(problem, traits);
  if ("reasons" in verdict) return null;
  const sessions = {
    prepare: async () => {},
    run: async (graph: PreparedGraph) => {
      throw new GraphFound(graph);
    },
  };
  const context = {
    loaded: { traits, runtime: { Tensor: NoTensor, env: {} } },
    sessions,
    knownFeeds: new KnownFeeds(),
    memory: null,
  } as unknown as OnnxContext;
  const plan = await planAttention(problem, verdict.decision, context);
  try {
    await plan.run(attention.bind(problem, call));
    return null;
  } catch (error) {
    if (error instanceof GraphFound) return error.graph;
    throw error;
  } finally {
    plan.dispose?.();
  }
}

/** A graph's nodes, with their kinds: operator, element type of the call, and attributes, which choose kernels. */
function nodesOf({ model, spec }: PreparedGraph) {
  const { graph } = fromBinary(ModelProtoSchema, model());
  return (graph?.node ?? []).map(({ opType, attribute, input, output }) => {
    const attributes = attribute.map(({ name, i, ints }) => `${name}=${i}${ints}`);
    return { kind: `${opType} ${spec.dtype} ${attributes}`, input, output };
  });
}

/** The kinds of a graph's nodes, and for each node the kinds of those that it reads: runtimes fuse neighbours. */
function neighbours(prepared: PreparedGraph): string[] {
  const nodes = nodesOf(prepared);
  const kindOf = new Map(nodes.flatMap(({ kind, output }) => output.map((name) => [name, kind])));
  return nodes.flatMap(({ kind, input }) => [
    kind,
    ...input.map((name, at) => `${kindOf.get(name) ?? "input"} -> ${kind} ${at}`),
  ]);
}

const known = new Set<string>();

/** A graph that the native library does not run for a case, and kinds of nodes; empty for graphs seen before. */
async function ownPieces(c: SyntheticCase): Promise<string[]> {
  const call = caseInputs(c);
  const problem = describeProblem(call);
  const graph = await graphOf(problem, call, "wasm");
  if (graph === null || known.has(graph.key)) return [];
  known.add(graph.key);
  const native = await graphOf(problem, call, "cpu");
  const kinds = nodesOf(graph).map(({ kind }) => kind);
  return [...(graph.key === native?.key ? [] : [graph.key]), ...kinds];
}

/** Cases of several calls, other than behaviours, and recorded vectors. */
const ofSeveralCalls = (c: AnyCase): boolean =>
  !("profile" in c) || ("run" in c && c.profile !== "behaviour");

const newGraphs = withNewPieces(ownPieces);

/**
 * Cases for WebAssembly in browsers. The whole suite runs in Node on the native library, by the same graphs
 * and the same kernels, compiled for another processor. Here run behaviours, the other operations, and cases
 * whose graph the native library does not run, or with a kind of node that
 * no case before had. Laws and recorded vectors run on the same module in Node: {@link forWasmInNode}.
 */
export const forWasmInBrowsers: CaseSelection | undefined =
  newGraphs &&
  (async (c) => {
    if (ofSeveralCalls(c)) return false;
    return !("spec" in c) || (await newGraphs(c));
  });

/**
 * Cases for WebGPU in browsers, where a software adapter compiles and computes seconds for a graph: recorded vectors,
 * behaviours, the other operations, and cases whose graph has neighbours that no graph before had.
 */
export const forWebgpuInBrowsers: CaseSelection | undefined = (() => {
  const fresh = withNewPieces(async (c) => {
    const call = caseInputs(c);
    const graph = await graphOf(describeProblem(call), call, "webgpu");
    return graph === null ? ["refused"] : neighbours(graph);
  });
  const isLaw = (c: AnyCase): boolean => "profile" in c && c.profile === "laws";
  // A law makes calls of its own, each with a graph to compile.
  return (
    fresh &&
    (async (c) => ("spec" in c ? await fresh(c) : !isLaw(c) || c.id === "laws/mask-as-bias"))
  );
})();

/** Cases for WebAssembly in Node: those of several calls, and recorded vectors. */
export const forWasmInNode: CaseSelection | undefined =
  scope === "all" ? undefined : scope === "engine" ? engineCases : ofSeveralCalls;
