import type { Attention, AttentionInputs, AttentionOutputs, HostTensor } from "@heed/core";

/** Attention with the two functions that sites need. */
export type Runner = Pick<Attention, "run" | "apply">;

/** Results of the calls that an operator makes, beside what it returns. */
export interface Recorded {
  inputs?: AttentionInputs<HostTensor>;
  backend?: string;
  weights?: HostTensor;
}

/** Attention that notes the call which passes through it, and asks for its weights. */
export function recording(attention: Runner, weights: boolean, recorded: Recorded): Runner {
  return {
    apply: attention.apply.bind(attention),
    run: (async (inputs: AttentionInputs<HostTensor>) => {
      recorded.inputs = inputs;
      const returns = weights ? { ...inputs.returns, weights: true } : inputs.returns;
      const result = (await attention.run({
        ...inputs,
        returns,
      })) as AttentionOutputs<HostTensor> & {
        readonly backend: string;
      };
      recorded.backend = result.backend;
      if (weights && result.weights) recorded.weights = result.weights;
      // An operator takes the weights for scores that it wants, so it sees those that it asked for.
      const { weights: returned, ...rest } = result;
      return inputs.returns?.weights ? result : rest;
    }) as unknown as Runner["run"],
  };
}
