import {
  type AnyOperation,
  type AttentionProblem,
  attention,
  attentionOptionsOf,
  type Bound,
  type BoundAttention,
  type BoundScatter,
  bytesPerElement,
  type Implementation,
  implement,
  isDeviceTensor,
  outputsOf,
  type Plan,
  referenceKernels,
  type ScatterProblem,
  type SupportReason,
  scatter,
  type Tensor,
} from "@heed/core";
import { programLimits } from "@heed/core/program";
import { AttendPlan, type RulesText } from "./client/attend.js";
import type { Cluster } from "./client/cluster.js";
import { needsIndices } from "./client/cut.js";
import { toHost } from "./client/host.js";
import { localTensor } from "./client/local-storage.js";
import { scatterOver } from "./client/scatter.js";
import { callBytes, describeCost } from "./cost.js";

/** Bytes of a message that are left for lengths, offsets and rules. */
const reserved = 16_384;

/** Attention over keys and values that workers hold. */
export const attentionKernels: Implementation<Cluster> = implement(attention, {
  decide: (problem: AttentionProblem, cluster: Cluster) => {
    const reasons = refusals(problem, cluster);
    if (reasons.length > 0) return { reasons };
    return {
      decision: undefined,
      // Read when somebody asks: workers tell of their speed with every answer.
      get notes() {
        return describeCost(problem, cluster);
      },
    };
  },
  plan: (problem, _, cluster: Cluster) => {
    const calls = new AttendPlan(cluster, problem, rulesOf(problem));
    return {
      description: {
        kernel: `attention-cluster-${problem.dtype.replace("float", "f")}`,
        tiles: {},
        splits: Math.max(1, cluster.members.live.length),
        workspaceBytes: callBytes(problem, cluster).received,
        dispatches: Math.max(1, cluster.members.live.length),
        notes: describeCost(problem, cluster),
      },
      run: (bound: BoundAttention) => calls.run(bound),
    };
  },
});

function refusals(problem: AttentionProblem, cluster: Cluster): SupportReason[] {
  const { dtype, kvDtype, returns, maskMod, scoreMod } = problem;
  const reasons: SupportReason[] = [];
  if (returns.weights) {
    const message = "weights are normalised over all keys, which no worker sees";
    reasons.push({ code: "weights", message });
  }
  if (returns.scores) {
    const message = "scores are as many as keys: they would be sent, which keys are not";
    reasons.push({ code: "scores", message });
  }
  const programs = [maskMod, scoreMod].filter((form) => form !== null);
  if (programs.some((form) => needsIndices(problem, form))) {
    if (problem.ragged?.keys) {
      const message =
        "a program reads indices of keys beside their positions, which is one table a sequence in a ragged batch";
      reasons.push({ code: "program", message });
    }
    if (programs.some(({ tables }) => tables.length >= programLimits.sources)) {
      const message = `a program that reads indices of keys beside their positions has ${programLimits.sources} tables, and needs one more`;
      reasons.push({ code: "program", message });
    }
  }
  const pair = `${dtype === "float64" ? dtype : "float32"}/${kvDtype}`;
  const wanted = programs.length > 0 ? `${pair}+program` : pair;
  const lacking = cluster.members.live.filter(({ beat }) => !beat.dtypes.includes(wanted));
  if (lacking.length > 0) {
    const of = [...new Set(lacking.map(({ beat }) => beat.backend))].join(", ");
    const words = `${pair.replace("/", " queries with ")} keys${programs.length > 0 ? " and programs" : ""}`;
    reasons.push({
      code: "dtype",
      message: `workers that compute with ${of} do not compute ${words}`,
    });
  }
  const { sent, received } = callBytes(problem, cluster);
  const most = cluster.transport.maxPayload - reserved;
  if (Math.max(sent, received) > most) {
    reasons.push({
      code: "too-large",
      message: `a message of the call would have ${Math.max(sent, received)} bytes, and the server takes ${most}`,
      hint: "raise max_payload of the server, or give fewer queries at once",
    });
  }
  return reasons;
}

/** The rules of a problem that are neither tensors nor arrays. */
function rulesOf(problem: AttentionProblem): RulesText {
  const { returns: _, ...rules } = attentionOptionsOf(problem);
  const { causal: __, ...withoutCausal } = rules;
  return { all: JSON.stringify(rules), withoutCausal: JSON.stringify(withoutCausal) };
}

/** Scatter into tensors that workers hold, or into those of this process. */
export const scatterKernels: Implementation<Cluster> = implement(scatter, {
  decide: ({ heads, headDim, sourceDType }: ScatterProblem, { transport }: Cluster) => {
    const bytes = heads * headDim * bytesPerElement(sourceDType);
    const most = transport.maxPayload - reserved;
    if (bytes <= most) return { decision: undefined };
    const message = `a row of all heads has ${bytes} bytes, and the server takes messages of ${most}`;
    return { reasons: [{ code: "too-large", message }] };
  },
  plan: (problem, _, cluster: Cluster) => ({
    description: {
      kernel: `scatter-cluster-${problem.targetDType.replace("float", "f")}`,
      tiles: {},
      workspaceBytes: 0,
      dispatches: 1,
    },
    run: (bound: BoundScatter) => scatterOver(cluster, bound),
  }),
});

/** Any other operation, in this process: by the local backend that the cluster was given, or by the float64 reference. */
export function hereKernels(operation: AnyOperation): Implementation<Cluster> {
  const reference = referenceKernels(operation).kernels;
  return implement(operation, {
    plan: async (problem, _, cluster: Cluster) => {
      const local = cluster.local?.supports(problem as never).ok
        ? ((await cluster.local.plan(problem as never)) as Plan)
        : null;
      const plan = local ?? (await reference.plan(problem as never, undefined, undefined));
      const names = outputsOf(operation.operands(problem)).map(({ name }) => name);
      return {
        description: plan.description,
        run: async (bound: Bound) => {
          const onDevice = bound.reads.some((t) => isDeviceTensor(t));
          const inputs = onDevice ? await inHost(bound.inputs) : bound.inputs;
          const outputs = (await (local === null
            ? plan.run((onDevice ? operation.bind(problem, inputs) : bound) as never)
            : local.run(inputs as never))) as Record<string, Tensor>;
          if (!onDevice) return outputs;
          return Object.fromEntries(
            names.map((name) => [name, localTensor(outputs[name] as never)]),
          );
        },
        ...(local && { dispose: () => local.dispose() }),
      };
    },
  }) as Implementation<Cluster>;
}

/** A call with all of its tensors in host memory. */
async function inHost(value: unknown): Promise<unknown> {
  if (isDeviceTensor(value)) return toHost(value);
  if (Array.isArray(value)) return Promise.all(value.map(inHost));
  if (!isPlain(value)) return value;
  const entries = Object.entries(value).map(async ([name, member]) => [name, await inHost(member)]);
  return Object.fromEntries(await Promise.all(entries));
}

function isPlain(value: unknown): value is object {
  return (
    typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype
  );
}
