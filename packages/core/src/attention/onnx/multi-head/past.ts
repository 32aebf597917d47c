import { InvalidInputError } from "../../../errors.js";
import type { Tensor } from "../../../tensor/tensor.js";
import { concatenateLength, readPast } from "../arguments.js";
import { readIntegers } from "../call.js";
import type { CallMemory } from "../call-memory.js";
import { readPastTensors } from "../resident.js";
import type { OnnxMultiHeadAttentionInputs } from "./inputs.js";
import type { Heads } from "./read.js";

/** Keys and values with their past. */
export interface Extended {
  /** `[batch, num_heads, rows, head_size]`, of which the first `total` are attended to. */
  readonly key: Tensor;
  readonly value: Tensor;
  /** The operator's outputs; without a past they are copies, made when they are asked for. */
  readonly presentKey: () => Promise<Tensor>;
  readonly presentValue: () => Promise<Tensor>;
  /** Rows of the past. */
  readonly past: number;
  readonly total: number;
}

/** @throws InvalidInputError naming the operator's own input */
export async function withPast(
  memory: CallMemory,
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
      presentKey: () => memory.copied(key),
      presentValue: () => memory.copied(value),
      past: 0,
      total: key.shape[2] as number,
    };
  }
  const { query } = heads;
  const given = readPastTensors({ query, key: past_key, value: past_value }, filled !== undefined);
  if (filled !== undefined) return intoBuffer(memory, given, filled, heads);
  const [pastKey, pastValue] = [
    readPast("past_key", given.key, "key", key),
    readPast("past_value", given.value, "value", value),
  ];
  const [past, valueRows] = [pastKey.shape[2] as number, pastValue.shape[2] as number];
  if (valueRows !== past) {
    throw new InvalidInputError("past_value", `${past} rows, as past_key`, `${valueRows}`);
  }
  const total = past + (key.shape[2] as number);
  return extendedBy(
    {
      key: await concatenateLength(memory, pastKey, key),
      value: await concatenateLength(memory, pastValue, value),
    },
    past,
    total,
  );
}

function extendedBy(
  { key, value }: { readonly key: Tensor; readonly value: Tensor },
  past: number,
  total: number,
): Extended {
  return {
    key,
    value,
    presentKey: async () => key,
    presentValue: async () => value,
    past,
    total,
  };
}

async function intoBuffer(
  memory: CallMemory,
  given: { readonly key: Tensor; readonly value: Tensor },
  filled: NonNullable<OnnxMultiHeadAttentionInputs["past_sequence_length"]>,
  { key, value }: Heads,
): Promise<Extended> {
  const [past] = readIntegers("past_sequence_length", filled, 1, "[1]") as unknown as [number];
  const fresh = key.shape[2] as number;
  const buffer = (name: string, t: Tensor, rows: Tensor): Tensor => {
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
  await memory.write(present.key, key, from);
  await memory.write(present.value, value, from);
  return extendedBy(present, past, past + fresh);
}
