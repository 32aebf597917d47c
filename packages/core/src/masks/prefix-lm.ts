import { less, lessEqual, or } from "../program/functions.js";
import { maskMod } from "../program/program.js";
import type { MaskProgram } from "../program/program-class.js";
import { type BatchNumber, ofBatch } from "./arguments.js";

/**
 * Every query sees the prefix, and otherwise the keys up to its own position (T5's prefix LM,
 * arXiv:1910.10683).
 *
 * @param prefix keys of the prefix: one number or scalar for all, or int32 `[batch]`
 * @throws InvalidInputError naming `prefix`
 */
export function prefixLM(prefix: BatchNumber): MaskProgram {
  return maskMod(({ batch, query, key }) =>
    or(less(key, ofBatch("prefix", prefix, batch)), lessEqual(key, query)),
  );
}
