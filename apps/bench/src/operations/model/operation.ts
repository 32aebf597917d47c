import { type Attention, type Problem, UnsupportedError } from "@heed/core";
import type { OnnxTensor, SplicedModel } from "@heed/splice";
import { checkOutput } from "@heed/splice/check";
import { type Judge, type Outputs, type Verdict, worstOf } from "../../measure/judge.js";
import type { MeasuredDefinition, MeasuredOperation, PreparedProcedure } from "../operation.js";

/** Tensors of onnxruntime by name. */
export type ModelTensors = Readonly<Record<string, OnnxTensor>>;

/** A call of a whole model. */
export interface ModelInputs {
  readonly name: string;
  readonly feeds: ModelTensors;
  /** Outputs of the file as it is. */
  readonly own: ModelTensors;
  /** Outputs of the same with its sites in float64. */
  readonly exact: ModelTensors;
  /** Number of the attentions that Heed can run. */
  readonly sites: number;
  /** Cuts the model for a backend. */
  splice(attention: Attention): Promise<SplicedModel>;
}

export interface ModelProblem extends Problem {
  readonly operation: "model";
  readonly sites: number;
}

const definition: MeasuredDefinition = {
  name: "model",
  describe: ({ name, feeds, sites }: ModelInputs): ModelProblem => ({
    operation: "model",
    sites,
    key: [
      name,
      ...Object.entries(feeds).map(([input, { type, dims }]) => `${input} ${type}[${dims}]`),
    ].join(" "),
  }),
  bind: (problem: ModelProblem, inputs: ModelInputs) => ({ problem, reads: [], inputs }),
  // Outputs of a model are the runtime's tensors, which the judge compares as they are.
  operands: () => [],
  // Nobody counts the work of the nodes that are no attention.
  work: () => ({ flops: 0, bytes: 0 }),
};

/** A whole model, whose attention a backend runs and everything else onnxruntime. */
export const model: MeasuredOperation<ModelInputs, ModelProblem> = {
  definition,
  prepareJudge: judgeOf,
  sizesOf: ({ sites }) => ({ sites }),
  procedure: {
    prepare: async ({ attention, backend }, _, { feeds, splice }): Promise<PreparedProcedure> => {
      const spliced = await splice(attention);
      try {
        const { sites } = await spliced.run(feeds as never);
        const ran = [...sites.values()].filter((site) => site.backend !== null);
        const [first] = sites.values();
        if (ran.length === 0) {
          const message = first?.reason ?? "it runs none of the model's attention";
          const reasons = [{ code: "feature" as const, message }];
          throw new UnsupportedError([{ backend: backend.name, reasons }]);
        }
        return {
          kernel: `${ran.length} of ${sites.size} sites`,
          workspaceBytes: null,
          place: async () => ({
            inputs: "host",
            run: async () => asOutputs((await spliced.run(feeds as never)).outputs),
            dispose: () => {},
          }),
          dispose: () => void spliced.dispose(),
        };
      } catch (error) {
        await spliced.dispose();
        throw error;
      }
    },
  },
};

/** Outputs of a model in the place of an operation's: none but the judge of the model reads them. */
export function asOutputs(outputs: ModelTensors): Outputs {
  return outputs as unknown as Outputs;
}

function judgeOf({ own, exact }: ModelInputs): Judge {
  return (outputs) => {
    const made = outputs as unknown as ModelTensors;
    return worstOf(
      Object.entries(own).map(([name, tensor]): Verdict => {
        const got = made[name];
        if (!got) return { errorInBudgets: null, wrong: `the output ${name} is missing` };
        const { budgets, difference } = checkOutput(name, got, tensor, exact[name] as OnnxTensor);
        return {
          errorInBudgets: Number.isFinite(budgets) ? budgets : null,
          wrong: budgets <= 1 ? null : `the output ${name} differs by up to ${difference}`,
        };
      }),
    );
  };
}
