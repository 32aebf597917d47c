import { InvalidInputError } from "../../errors.js";
import { type FloatDType, isFloatDType } from "../../tensor/dtype.js";
import { checkTensor } from "../../tensor/host-tensor.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { KvDType } from "../problem.js";
import { checkStorage } from "./storage.js";

/**
 * Checks query, key and value by themselves and against each other.
 *
 * @param paged whether key and value are in pages
 * @returns the dtype of key and value
 * @throws InvalidInputError, DisposedError
 */
export function checkQueryKeyValue(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  paged: boolean,
): KvDType {
  checkTensor("query", query);
  checkTensor("key", key);
  checkTensor("value", value);
  const dtype = checkFloat("query", query);
  const stored = checkStorage(key, value, dtype);
  checkRank4("query", query);
  checkRank4("key", key);
  checkRank4("value", value);
  const batch = query.shape[0] as number;
  const queryHeads = query.shape[1] as number;
  const headDim = query.shape[3] as number;
  const kvHeads = key.shape[1] as number;
  const keyLength = key.shape[2] as number;
  if (paged) {
    checkSize("value", "the key's number of pages", key.shape[0] as number, value.shape[0]);
  } else {
    checkSize("key", "the query's batch size", batch, key.shape[0]);
    checkSize("value", "the query's batch size", batch, value.shape[0]);
  }
  checkSize("key", "the query's head size", headDim, key.shape[3]);
  checkSize("value", "the key's number of heads", kvHeads, value.shape[1]);
  checkSize("value", "the key's length", keyLength, value.shape[2]);
  if (kvHeads === 0 ? queryHeads !== 0 : queryHeads % kvHeads !== 0) {
    throw new InvalidInputError(
      "query",
      `a number of heads that is a multiple of the key's ${kvHeads}`,
      `${queryHeads}`,
    );
  }
  if (headDim === 0) throw new InvalidInputError("query", "a head size of at least 1", "0");
  if (value.shape[3] === 0) {
    throw new InvalidInputError("value", "a head size of at least 1", "0");
  }
  return stored;
}

/** @throws InvalidInputError unless the tensor's dtype is one that attention computes in */
export function checkFloat(argument: string, t: Tensor): FloatDType {
  if (!isFloatDType(t.dtype)) {
    throw new InvalidInputError(argument, "dtype float64, float32 or float16", t.dtype);
  }
  return t.dtype;
}

function checkRank4(argument: string, t: Tensor): void {
  if (t.shape.length !== 4) {
    throw new InvalidInputError(
      argument,
      "shape [batch, heads, length, headDim] (splitHeads and transpose make views of other layouts)",
      `[${t.shape.join(", ")}]`,
    );
  }
}

function checkSize(argument: string, what: string, expected: number, actual?: number): void {
  if (actual !== expected) {
    throw new InvalidInputError(argument, `${what} ${expected}`, `${actual}`);
  }
}
