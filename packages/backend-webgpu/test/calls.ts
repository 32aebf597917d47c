import { Random } from "@heed/conformance";
import type { AttentionInputs, FloatDType, HostTensor } from "@heed/core";

export interface CallShape {
  readonly batch?: number;
  readonly heads?: readonly [query: number, kv: number];
  readonly lengths: readonly [query: number, key: number];
  readonly sizes?: readonly [head: number, value: number];
  readonly dtype?: FloatDType;
}

/** Normal inputs; the same shape gives the same numbers. */
export function makeCall(shape: CallShape): AttentionInputs<HostTensor> {
  const { batch = 1, heads = [2, 2], lengths, sizes = [16, 16], dtype = "float32" } = shape;
  const random = new Random(JSON.stringify(shape));
  return {
    query: random.tensor([batch, heads[0], lengths[0], sizes[0]], dtype),
    key: random.tensor([batch, heads[1], lengths[1], sizes[0]], dtype),
    value: random.tensor([batch, heads[1], lengths[1], sizes[1]], dtype),
  };
}
