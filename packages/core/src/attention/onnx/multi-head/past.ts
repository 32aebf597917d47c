import { InvalidInputError } from "../../../errors.js";
import type { Attention } from "../../../select/attention.js";
import type { HostTensor, Tensor } from "../../../tensor/tensor.js";
import { contiguous } from "../../../tensor/views.js";
import { concatenateLength } from "../arguments.js";
import { readIntegers } from "../call.js";
import { readPastTensors, writeInto } from "../resident.js";
import type { OnnxMultiHeadAttentionInputs } from "./inputs.js";
import type { Heads } from "./read.js";

/** Keys and values with their past. */
export interface Extended {
  /** `[batch, num_heads, rows, head_size]`, of which the first `total` are attended to. */
  readonly key: Tensor;
  readonly value: Tensor;
  readonly presentKey: Tensor;
  readonly presentValue: Tensor;
  /** Rows of the past. */
  readonly past: number;
  readonly total: number;
}

/** @throws InvalidInputError naming the operator's own input */
export async function withPast(
  attention: Pick<Attention, "apply">,
  inputs: OnnxMultiHeadAttentionInputs<Tensor>,
  heads: Heads,
): Promise<Extended> {
  const { past_key, past_value, past_sequence_length: filled } = inputs;
  if ((past_key === undefined) !== (past_value === undefined)) {
    const missing = past_key === undefined ? "past_key" : "past_value";
    throw new InvalidInputError(missing, "both, or neither", "only one of them");
  }
  const { key, value } = heads;
  if (past_key === undefined || past_value === undefined) {
    if (filled !== undefined) {
      throw new InvalidInputError("past_key", "a buffer, with past_sequence_length", "undefined");
    }
    return {
      key,
      value,
      presentKey: contiguous(key),
      presentValue: contiguous(value),
      past: 0,
      total: key.shape[2] as number,
    };
  }
  if (filled !== undefined) return intoBuffer(attention, past_key, past_value, filled, heads);
  const extended = {
    key: concatenateLength("past_key", past_key as HostTensor, "key", key),
    value: concatenateLength("past_value", past_value as HostTensor, "value", value),
  };
  const past = (extended.key.shape[2] as number) - (key.shape[2] as number);
  if (extended.value.shape[2] !== extended.key.shape[2]) {
    const actual = `${(extended.value.shape[2] as number) - (value.shape[2] as number)}`;
    throw new InvalidInputError("past_value", `${past} rows, as past_key`, actual);
  }
  const total = extended.key.shape[2] as number;
  return { ...extended, presentKey: extended.key, presentValue: extended.value, past, total };
}

async function intoBuffer(
  attention: Pick<Attention, "apply">,
  pastKey: unknown,
  pastValue: unknown,
  filled: NonNullable<OnnxMultiHeadAttentionInputs["past_sequence_length"]>,
  { key, value }: Heads,
): Promise<Extended> {
  const [past] = readIntegers("past_sequence_length", filled, 1, "[1]") as unknown as [number];
  const fresh = key.shape[2] as number;
  const given = readPastTensors(pastKey, pastValue, true);
  const buffer = (name: string, t: Tensor, rows: HostTensor): Tensor => {
    const [b, h, , d] = rows.shape;
    const fits =
      t.dtype === rows.dtype &&
      t.shape.length === 4 &&
      t.shape[0] === b &&
      t.shape[1] === h &&
      (t.shape[2] as number) >= past + fresh &&
      t.shape[3] === d;
    if (fits) return t;
    throw new InvalidInputError(
      name,
      `${rows.dtype} of shape [${b}, ${h}, at least ${past + fresh}, ${d}]`,
      `${t.dtype} of shape [${t.shape.join(", ")}]`,
    );
  };
  if (past < 0) throw new InvalidInputError("past_sequence_length", "an integer ≥ 0", `${past}`);
  const present = {
    key: buffer("past_key", given.key, key),
    value: buffer("past_value", given.value, value),
  };
  const from = new Int32Array(key.shape[0] as number).fill(past);
  await writeInto(attention, present.key, key, from);
  await writeInto(attention, present.value, value, from);
  return {
    ...present,
    presentKey: present.key,
    presentValue: present.value,
    past,
    total: past + fresh,
  };
}
