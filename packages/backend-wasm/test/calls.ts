import { Random } from "@heed/conformance";
import type { AttentionInputs, HostTensor } from "@heed/core";

type Call = AttentionInputs<HostTensor>;

function call(
  heads: number,
  queryLength: number,
  keyLength: number,
  size: number,
  more: Partial<Call> = {},
): Call {
  const random = new Random(`${heads} ${queryLength} ${keyLength} ${size}`);
  return {
    query: random.tensor([1, heads, queryLength, size], "float32"),
    key: random.tensor([1, heads, keyLength, size], "float32"),
    value: random.tensor([1, heads, keyLength, size], "float32"),
    ...more,
  };
}

/** A call for each way through the kernels. */
export const calls = {
  prefill: call(1, 70, 150, 20, { causal: true, queryOffset: "bottom-right" }),
  heads: call(10, 70, 70, 16),
  decode: call(2, 1, 300, 24),
  few: call(2, 3, 300, 18, { causal: true, queryOffset: "bottom-right" }),
} as const;
