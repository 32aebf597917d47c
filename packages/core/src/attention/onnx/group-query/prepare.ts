import { InvalidInputError } from "../../../errors.js";
import { readHostTensor } from "../../../tensor/host-tensor.js";
import { type HostTensor, type Tensor, zeros } from "../../../tensor/tensor.js";
import { toFloat64, writeValues } from "../../../tensor/values.js";
import type { AttentionInputs } from "../../inputs.js";
import type { ReadGroupQueryAttributes } from "./attributes.js";
import type { OnnxGroupQueryAttentionInputs } from "./inputs.js";
import type { GroupQueryCall } from "./read.js";

/** Keys and values, and where they lie on the axis of positions. */
export interface AttendedKeys {
  readonly key: Tensor;
  readonly value: Tensor;
  /** Keys of each entry. */
  readonly lengths: Int32Array;
  /** Keys of each entry before the first query. */
  readonly before: Int32Array;
  /** Position of the first key of each entry. */
  readonly start: Int32Array;
}

/** The operator's call as one of attention. @throws InvalidInputError naming the operator's input */
export function asAttention(
  call: GroupQueryCall,
  query: Tensor,
  keys: AttendedKeys,
  inputs: Pick<OnnxGroupQueryAttentionInputs, "attention_bias" | "head_sink">,
  attributes: ReadGroupQueryAttributes,
): AttentionInputs<Tensor> {
  const { causal, window, qk } = attributes;
  const { key, value, lengths, before } = keys;
  const shared = {
    query,
    key,
    value,
    kvLengths: lengths,
    bias: biasOf(call, keys, inputs.attention_bias, attributes.queryHeads),
    scale: attributes.scale,
    softcap: attributes.softcap,
    sinks: sinksOf(inputs.head_sink, query.dtype, attributes),
    returns:
      qk === "weights"
        ? { weights: true }
        : qk === "logits"
          ? { scores: "biased" as const }
          : undefined,
  };
  if (!causal) return shared;
  return {
    ...shared,
    causal: true,
    window: window === undefined ? undefined : { left: window - 1 },
    queryOffset: before,
  };
}

function sinksOf(
  given: HostTensor | undefined,
  dtype: string,
  { smooth, queryHeads }: ReadGroupQueryAttributes,
): HostTensor | readonly number[] | undefined {
  if (given === undefined) return smooth ? new Array<number>(queryHeads).fill(0) : undefined;
  if (smooth) throw new InvalidInputError("head_sink", "nothing beside smooth_softmax", "a tensor");
  const sinks = readHostTensor("head_sink", given);
  if (sinks.dtype === dtype && sinks.shape.length === 1 && sinks.shape[0] === queryHeads) {
    return sinks;
  }
  throw new InvalidInputError(
    "head_sink",
    `${dtype} of shape [${queryHeads}]`,
    `${sinks.dtype} of shape [${sinks.shape.join(", ")}]`,
  );
}

/** The bias of the keys that are attended to; the operator's has a column for every position. */
function biasOf(
  call: GroupQueryCall,
  { key, start }: AttendedKeys,
  given: HostTensor | undefined,
  queryHeads: number,
): HostTensor | undefined {
  if (given === undefined) return undefined;
  const bias = readHostTensor("attention_bias", given);
  const { batch, length, total } = call;
  const [b = 0, h = 0, rows, columns] = bias.shape;
  const fits =
    bias.dtype === call.query.dtype &&
    bias.shape.length === 4 &&
    (b === 1 || b === batch) &&
    (h === 1 || h === queryHeads) &&
    rows === length &&
    columns === total;
  if (!fits) {
    throw new InvalidInputError(
      "attention_bias",
      `${call.query.dtype} of shape [${batch} or 1, ${queryHeads} or 1, ${length}, ${total}]`,
      `${bias.dtype} of shape [${bias.shape.join(", ")}]`,
    );
  }
  const keyLength = key.shape[2] as number;
  if (start.every((first) => first === 0)) return bias;
  const values = toFloat64(bias);
  const moved = zeros(bias.dtype, [batch, h, length, keyLength]);
  const block = h * length;
  for (let entry = 0; entry < batch; entry++) {
    const first = start[entry] as number;
    const kept = Math.min(keyLength, total - first);
    for (let row = 0; row < block; row++) {
      const from = ((b === 1 ? 0 : entry) * block + row) * total + first;
      const to = (entry * block + row) * keyLength;
      writeValues(values.subarray(from, from + kept), moved.data, to, bias.dtype);
    }
  }
  return moved;
}
