import { describeValue, InvalidInputError } from "../../errors.js";
import { checkBatchIntegers, isInt32, isList } from "../../options.js";
import { typedArrayName } from "../../tensor/typed-array.js";
import type { AttentionInputs } from "../inputs.js";
import type { PositionRule } from "../problem.js";

/** @throws InvalidInputError */
export function checkKvLengths(
  lengths: NonNullable<AttentionInputs["kvLengths"]>,
  batch: number,
  keyLength: number,
): void {
  checkBatchIntegers("kvLengths", lengths, batch);
  for (let b = 0; b < batch; b++) {
    const length = lengths[b] as number;
    if (length < 0 || length > keyLength) {
      throw new InvalidInputError(
        "kvLengths",
        `lengths from 0 to the key's length ${keyLength}`,
        `${length}`,
      );
    }
  }
}

/**
 * The rule that places query rows on the key axis.
 *
 * @param needed whether causal, window or ALiBi depend on positions
 * @throws InvalidInputError for a wrong offset, and for a missing one that has no obvious value
 */
export function positionRule(
  offset: unknown,
  batch: number,
  queryLength: number,
  keyLength: number,
  kvLengths: boolean,
  needed: boolean,
): PositionRule {
  const rule = offsetRule(offset, batch);
  if (!needed) return "none";
  if (rule !== null) return rule;
  if (!kvLengths && queryLength === keyLength) return "fixed";
  const why = kvLengths
    ? "kvLengths is given"
    : `the query's length ${queryLength} differs from the key's ${keyLength}`;
  throw new InvalidInputError(
    "queryOffset",
    `where query row 0 sits on the key axis, since ${why} and causal, window or alibiSlopes need positions: 0 aligns the first query with the first key, "bottom-right" the last with the last`,
    "undefined",
  );
}

function offsetRule(offset: unknown, batch: number): PositionRule | null {
  if (offset === undefined) return null;
  if (offset === "bottom-right") return "bottom-right";
  if (typeof offset === "number") {
    if (!isInt32(offset)) {
      throw new InvalidInputError("queryOffset", "a 32-bit signed integer", describeValue(offset));
    }
    return "fixed";
  }
  if (typedArrayName(offset) !== "Int32Array" && !isList(offset)) {
    throw new InvalidInputError(
      "queryOffset",
      'an integer, "bottom-right", or an Int32Array, one a batch',
      describeValue(offset),
    );
  }
  checkBatchIntegers("queryOffset", offset, batch);
  return "per-batch";
}
