import { withOffsets } from "../laws/transform.js";
import { keysOf, without } from "./changes.js";
import { type Call, callMistake, type Mistake } from "./mistake.js";

/** The call with other lengths of its keys, where it has any: whole ones, within what there is. */
export function withLengths(
  call: Call,
  change: (length: number, all: Int32Array) => number,
): Call | null {
  const { kvLengths, ...rest } = withOffsets(call);
  if (!kvLengths) return null;
  const all = Int32Array.from(kvLengths);
  const within = (length: number) => Math.max(0, Math.min(keysOf(call), length));
  return { ...rest, kvLengths: all.map((length) => within(change(length, all))) };
}

/** How many keys of each batch exist. */
export const lengthMistakes: readonly Mistake[] = [
  callMistake("kvLengths is ignored", (call) => without(call, "kvLengths")),
  callMistake(
    "one key past kvLengths is seen",
    (call) => withLengths(call, (length) => length + 1),
    { mutant: "decode" },
  ),
  callMistake("the last key before kvLengths is left out", (call) =>
    withLengths(call, (length) => length - 1),
  ),
  callMistake(
    "kvLengths of batch 0 serve all batches",
    (call) => withLengths(call, (_, all) => all[0] as number),
    { sentence: "the length of batch 0 serves all batches", mutant: "decode" },
  ),
];
