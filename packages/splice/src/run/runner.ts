import {
  type Attention,
  type AttentionInputs,
  type AttentionOutputs,
  type HostTensor,
  isDeviceTensor,
  type Tensor,
} from "@heed/core";

/** Attention with the functions that sites need; `allocate` for operators on a device. */
export type Runner = Pick<Attention, "run" | "apply"> & Partial<Pick<Attention, "allocate">>;

/** Results of the calls that an operator makes, beside what it returns. */
export interface Recorded {
  inputs?: AttentionInputs<HostTensor>;
  backend?: string;
  weights?: HostTensor;
}

/** Attention that notes the call which passes through it, and asks for its weights. */
export function recording(
  attention: Runner,
  wanted: { readonly weights: boolean; readonly inputs: boolean },
  recorded: Recorded,
): Runner {
  return {
    apply: attention.apply.bind(attention),
    ...(attention.allocate && { allocate: attention.allocate.bind(attention) }),
    run: (async (inputs: AttentionInputs<Tensor>) => {
      if (wanted.inputs) recorded.inputs = await onHost(inputs);
      const returns = wanted.weights ? { ...inputs.returns, weights: true } : inputs.returns;
      const result = (await attention.run({
        ...inputs,
        returns,
      })) as AttentionOutputs<Tensor> & {
        readonly backend: string;
      };
      recorded.backend = result.backend;
      const { weights, ...rest } = result;
      if (wanted.weights && weights) recorded.weights = await hostTensorOf(weights);
      // An operator takes the weights for scores that it wants, so it sees those that it asked for.
      if (inputs.returns?.weights) return result;
      if (weights && isDeviceTensor(weights)) weights.dispose();
      return rest;
    }) as unknown as Runner["run"],
  };
}

/** A copy of a backend's tensor in host memory; the tensor stays. */
export async function hostTensorOf(t: Tensor): Promise<HostTensor> {
  return isDeviceTensor(t) ? t.read() : t;
}

/** A call with its query, keys and values in host memory. */
async function onHost(inputs: AttentionInputs<Tensor>): Promise<AttentionInputs<HostTensor>> {
  const { query, key, value } = inputs;
  return {
    ...inputs,
    query: await hostTensorOf(query),
    key: await hostTensorOf(key),
    value: await hostTensorOf(value),
  } as AttentionInputs<HostTensor>;
}
