import { InvalidInputError } from "../../../errors.js";
import { readHostTensor } from "../../../tensor/host-tensor.js";
import type { HostTensor } from "../../../tensor/tensor.js";
import { contiguous, slice } from "../../../tensor/views.js";
import { concatenateLength } from "../arguments.js";
import { readIntegers } from "../call.js";
import { writeRows } from "../rows.js";
import type { OnnxMultiHeadAttentionInputs } from "./inputs.js";
import type { Heads } from "./read.js";

/** Keys and values with their past. */
export interface Extended {
  readonly key: HostTensor;
  readonly value: HostTensor;
  readonly presentKey: HostTensor;
  readonly presentValue: HostTensor;
  /** Rows of the past. */
  readonly past: number;
}

/** @throws InvalidInputError naming the operator's own input */
export function withPast(inputs: OnnxMultiHeadAttentionInputs, heads: Heads): Extended {
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
    };
  }
  if (filled !== undefined) return intoBuffer(past_key, past_value, filled, heads);
  const extended = {
    key: concatenateLength("past_key", past_key, "key", key),
    value: concatenateLength("past_value", past_value, "value", value),
  };
  const past = (extended.key.shape[2] as number) - (key.shape[2] as number);
  if (extended.value.shape[2] !== extended.key.shape[2]) {
    const actual = `${(extended.value.shape[2] as number) - (value.shape[2] as number)}`;
    throw new InvalidInputError("past_value", `${past} rows, as past_key`, actual);
  }
  return { ...extended, presentKey: extended.key, presentValue: extended.value, past };
}

function intoBuffer(
  pastKey: unknown,
  pastValue: unknown,
  filled: NonNullable<OnnxMultiHeadAttentionInputs["past_sequence_length"]>,
  { key, value }: Heads,
): Extended {
  const [past] = readIntegers("past_sequence_length", filled, 1, "[1]") as unknown as [number];
  const fresh = key.shape[2] as number;
  const buffer = (name: string, given: unknown, rows: HostTensor): HostTensor => {
    const t = readHostTensor(name, given);
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
    key: buffer("past_key", pastKey, key),
    value: buffer("past_value", pastValue, value),
  };
  const from = new Int32Array(key.shape[0] as number).fill(past);
  writeRows(present.key, key, from);
  writeRows(present.value, value, from);
  return {
    key: slice(present.key, 2, 0, past + fresh) as HostTensor,
    value: slice(present.value, 2, 0, past + fresh) as HostTensor,
    presentKey: present.key,
    presentValue: present.value,
    past,
  };
}
