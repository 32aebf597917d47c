import {
  type Attention,
  type AttentionInputs,
  type AttentionProblem,
  attention as attentionDefinition,
  type HostTensor,
  type Problem,
  type Work,
} from "@heed/core";
import { toHost } from "../../contenders/to-host.js";
import { type Outputs, worstOf } from "../../measure/judge.js";
import { attention } from "../attention/operation.js";
import type {
  MeasuredDefinition,
  MeasuredOperation,
  PreparedProcedure,
  ProcedurePlace,
} from "../operation.js";

/** Calls of attention that are made together and do not need each other. All have the same problem. */
export interface CallsInputs {
  readonly calls: readonly AttentionInputs<HostTensor>[];
}

export interface CallsProblem extends Problem {
  readonly operation: "calls";
  readonly count: number;
  /** The problem of each. */
  readonly each: AttentionProblem;
}

const nameOf = (call: number): string => `output ${call}`;

const definition: MeasuredDefinition = {
  name: "calls",
  describe: ({ calls }: CallsInputs): CallsProblem => {
    const [each, ...others] = calls.map((call) => attentionDefinition.describe(call));
    if (!each || others.some(({ key }) => key !== each.key)) {
      throw new RangeError("the calls of a case have one problem");
    }
    return { operation: "calls", count: calls.length, each, key: `${calls.length} × ${each.key}` };
  },
  bind: (problem: CallsProblem, inputs: CallsInputs) => ({ problem, reads: [], inputs }),
  operands: ({ count, each }: CallsProblem) =>
    Array.from({ length: count }, (_, call) => ({
      name: nameOf(call),
      shape: [each.batch, each.queryHeads, each.queryLength, each.valueDim],
      dtype: each.dtype,
      access: "write" as const,
    })),
  work: ({ problem, inputs }: { readonly problem: CallsProblem; readonly inputs: CallsInputs }) =>
    inputs.calls
      .map((call) => attentionDefinition.work(attentionDefinition.bind(problem.each, call)))
      .reduce((sum: Work, one: Work) => ({
        flops: sum.flops + one.flops,
        bytes: sum.bytes + one.bytes,
      })),
};

/** Several calls of attention, which are started together and done when all outputs can be read. */
export const calls: MeasuredOperation<CallsInputs, CallsProblem> = {
  definition,
  prepareJudge: ({ calls: all }) => {
    const judges = all.map((call) => attention.prepareJudge(call));
    return (outputs) =>
      worstOf(
        judges.map((judge, call) => {
          const { errorInBudgets, wrong } = judge({ output: outputs[nameOf(call)] as HostTensor });
          return { errorInBudgets, wrong: wrong && `call ${call}: ${wrong}` };
        }),
      );
  },
  sizesOf: ({ count, each }) => ({ calls: count, ...attention.sizesOf(each) }),
  procedure: { prepare: prepareCalls },
};

async function prepareCalls(
  { attention: front, backend }: ProcedurePlace,
  { each }: CallsProblem,
  { calls: all }: CallsInputs,
): Promise<PreparedProcedure> {
  const plan = await backend.plan(each);
  const { kernel, workspaceBytes } = plan.description;
  plan.dispose();
  return {
    kernel,
    workspaceBytes,
    place: async () => {
      const uploaded: { dispose(): void }[] = [];
      const placed: unknown[] = [];
      for (const call of all) {
        placed.push(
          await attention.replaceTensors?.(call, async (t) => {
            if (!backend.memory) return t;
            const device = await front.upload(t, { backend: backend.name });
            uploaded.push(device);
            return device;
          }),
        );
      }
      return {
        inputs: backend.memory ? "resident" : "host",
        run: () => runAll(front, placed as AttentionInputs[]),
        dispose: () => {
          for (const device of uploaded) device.dispose();
        },
      };
    },
    dispose: () => {},
  };
}

async function runAll(front: Attention, all: readonly AttentionInputs[]): Promise<Outputs> {
  const outputs = await Promise.all(
    all.map(async (call) => toHost(await front.run(call), ["output"])),
  );
  return Object.fromEntries(
    outputs.map(({ output }, call) => [nameOf(call), output as HostTensor]),
  );
}
