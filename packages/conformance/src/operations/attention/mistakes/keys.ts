import { gather, onKeys } from "../laws/transform.js";
import { withoutKeys } from "./bands.js";
import { batchOf, keysOf, withKeyHeads } from "./changes.js";
import { callMistake, type Mistake } from "./mistake.js";

/** Keys that are left out, and keys and values of the wrong head or batch. */
export const keyMistakes: readonly Mistake[] = [
  callMistake(
    "the last key is skipped",
    (call) => withoutKeys(call, (j) => j === keysOf(call) - 1),
    { sentence: "the last key is left out", mutant: "core" },
  ),
  callMistake("the first key is left out", (call) =>
    keysOf(call) > 1 ? onKeys(call, 1, keysOf(call)) : null,
  ),
  callMistake(
    "grouped heads are interleaved instead of blocked",
    (call) => withKeyHeads(call, (h, kvHeads) => h % kvHeads),
    {
      sentence:
        "query head h reads key head h mod kvHeads instead of floor(h · kvHeads / queryHeads)",
      mutant: "core",
    },
  ),
  callMistake("keys and values of batch 0 serve all batches", (call) => {
    const batch = batchOf(call);
    if (batch < 2) return null;
    const order = new Array<number>(batch).fill(0);
    return { ...call, key: gather(call.key, 0, order), value: gather(call.value, 0, order) };
  }),
  callMistake("every query head reads key head 0", (call) => withKeyHeads(call, () => 0)),
];
