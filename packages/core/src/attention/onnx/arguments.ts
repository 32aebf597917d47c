import { describeValue, InvalidInputError } from "../../errors.js";
import { isList, reading } from "../../options.js";
import { readHostTensor, readTensor } from "../../tensor/host-tensor.js";
import type { Tensor } from "../../tensor/tensor.js";
import { typedArrayName } from "../../tensor/typed-array.js";
import { toFloat64 } from "../../tensor/values.js";
import { splitHeads } from "../../tensor/views.js";
import type { CallMemory } from "./call-memory.js";

/** Q, K or V as `[batch, heads, length, headSize]`: a view. */
export function headsFirst(
  argument: "Q" | "K" | "V",
  given: Tensor,
  rank: number,
  heads: number | undefined,
  memory: CallMemory,
): Tensor {
  const t = readTensor(argument, given);
  if (t.shape.length !== rank || (rank !== 3 && rank !== 4)) {
    throw new InvalidInputError(
      argument,
      argument === "Q" ? "3 or 4 axes" : `${rank} axes, as Q`,
      `[${t.shape.join(", ")}]`,
    );
  }
  const attribute = argument === "Q" ? "q_num_heads" : "kv_num_heads";
  if (rank === 4) {
    if (heads !== undefined && t.shape[1] !== heads) {
      throw new InvalidInputError(attribute, `${t.shape[1]}, as in ${argument}`, `${heads}`);
    }
    return t;
  }
  if (heads === undefined) {
    throw new InvalidInputError(attribute, "a number of heads, since inputs are 3-D", "undefined");
  }
  if ((t.shape[2] as number) % heads !== 0) {
    throw new InvalidInputError(
      argument,
      `a last axis that ${attribute} ${heads} divides`,
      `[${t.shape.join(", ")}]`,
    );
  }
  return memory.keep(splitHeads(t, heads) as Tensor);
}

/** A past, which fits before new rows. @throws InvalidInputError */
export function readPast(pastName: string, given: Tensor, newName: string, fresh: Tensor): Tensor {
  const past = readTensor(pastName, given);
  const [batch, heads, , size] = past.shape;
  const fits =
    past.shape.length === 4 &&
    batch === fresh.shape[0] &&
    heads === fresh.shape[1] &&
    size === fresh.shape[3];
  if (fits && past.dtype === fresh.dtype) return past;
  const [b, h, , d] = fresh.shape;
  throw new InvalidInputError(
    pastName,
    `${fresh.dtype} of shape [${b}, ${h}, past_length, ${d}], to go before ${newName}`,
    `${past.dtype} of shape [${past.shape.join(", ")}]`,
  );
}

/** The cache's keys or values followed by the new ones, along the length: row-major, in the call's memory. */
export async function concatenateLength(
  memory: CallMemory,
  past: Tensor,
  fresh: Tensor,
): Promise<Tensor> {
  const [batch, heads, length, size] = fresh.shape as [number, number, number, number];
  const before = past.shape[2] as number;
  const joined = memory.zeros(fresh.dtype, [batch, heads, before + length, size]);
  await memory.write(joined, past, new Int32Array(batch));
  await memory.write(joined, fresh, new Int32Array(batch).fill(before));
  return joined;
}

/** `nonpad_kv_seqlen` as one 32-bit integer a batch, checked. */
export function readNonpad(value: unknown, batch: number, keyLength: number): Int32Array {
  const name = typedArrayName(value);
  const list =
    name === "BigInt64Array" || name === "Int32Array" || isList(value)
      ? (value as ArrayLike<unknown>)
      : integersOf(value);
  return reading("nonpad_kv_seqlen", () => {
    if (list.length !== batch) {
      throw new InvalidInputError(
        "nonpad_kv_seqlen",
        `${batch} lengths, one a batch`,
        `${describeValue(list.length)} of them`,
      );
    }
    const lengths = new Int32Array(batch);
    for (let b = 0; b < batch; b++) {
      const item = list[b];
      const length = typeof item === "bigint" ? Number(item) : item;
      if (!Number.isInteger(length) || (length as number) < 0 || (length as number) > keyLength) {
        throw new InvalidInputError(
          "nonpad_kv_seqlen",
          `lengths from 0 to the key's length ${keyLength}`,
          describeValue(item),
        );
      }
      lengths[b] = length as number;
    }
    return lengths;
  });
}

function integersOf(value: unknown): ArrayLike<number> {
  const t = readHostTensor("nonpad_kv_seqlen", value);
  if (t.dtype !== "int32" || t.shape.length !== 1) {
    throw new InvalidInputError(
      "nonpad_kv_seqlen",
      "int32 of shape [batch]",
      `${t.dtype} of shape [${t.shape.join(", ")}]`,
    );
  }
  return toFloat64(t);
}
