import { describeValue, InvalidInputError } from "../../errors.js";
import { checkBatchIntegers, isInt32, isList } from "../../options.js";
import { typedArrayName } from "../../tensor/typed-array.js";
import type { AttentionInputs } from "../inputs.js";
import type { PositionRule } from "../problem.js";

/** Why the numbers of queries and keys of a sequence may differ; undefined where they are equal. */
export type Difference = "kvLengths" | "sizes" | "starts" | undefined;

/**
 * @param sequences how many lengths there must be
 * @param keyLength keys of each sequence
 * @param keyStarts starts of the keys, which say how many each sequence has instead
 * @throws InvalidInputError
 */
export function checkKvLengths(
  lengths: NonNullable<AttentionInputs["kvLengths"]>,
  sequences: number,
  keyLength: number,
  keyStarts: ArrayLike<number> | undefined,
): void {
  checkBatchIntegers("kvLengths", lengths, sequences);
  for (let s = 0; s < sequences; s++) {
    const length = lengths[s] as number;
    const most =
      keyStarts === undefined ? keyLength : (keyStarts[s + 1] as number) - (keyStarts[s] as number);
    if (length < 0 || length > most) {
      throw new InvalidInputError(
        "kvLengths",
        keyStarts === undefined
          ? `lengths from 0 to the key's length ${keyLength}`
          : `lengths from 0 to the ${most} keys of sequence ${s}`,
        `${length}`,
      );
    }
  }
}

/**
 * The rule that places query rows on the key axis.
 *
 * @param data whether positions are given as data
 * @param needed whether causal, window or ALiBi depend on positions
 * @param read whether programs read positions, for which an offset of 0 is the default
 * @param differ why the numbers of queries and keys may differ; undefined where they are equal
 * @throws InvalidInputError for a wrong offset, and for a missing one that has no obvious value
 */
export function positionRule(
  offset: unknown,
  sequences: number,
  data: boolean,
  needed: boolean,
  read: boolean,
  differ: Difference,
  queryLength: number,
  keyLength: number,
): PositionRule {
  const rule = offsetRule(offset, sequences);
  if (data && rule !== null) {
    throw new InvalidInputError(
      "queryOffset",
      "nothing beside queryPositions or keyPositions",
      describeValue(offset),
    );
  }
  if (!needed && !read) return "none";
  if (data) return "data";
  if (rule !== null) return rule;
  if (differ === undefined || !needed) return "fixed";
  const why =
    differ === "kvLengths"
      ? "kvLengths is given"
      : differ === "starts"
        ? "queryStarts differ from keyStarts"
        : `the query's length ${queryLength} differs from the key's ${keyLength}`;
  throw new InvalidInputError(
    "queryOffset",
    `where query row 0 sits on the key axis, since ${why} and causal, window or alibiSlopes need positions: 0 aligns the first query with the first key, "bottom-right" the last with the last`,
    "undefined",
  );
}

function offsetRule(offset: unknown, sequences: number): PositionRule | null {
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
  checkBatchIntegers("queryOffset", offset, sequences);
  return "per-batch";
}
