import { fromFloat64, type HostTensor, toFloat64 } from "@heed/core";
import { type Call, callMistake, type Mistake } from "./mistake.js";

/** Sizes of vectors and tiles, in elements. */
const widths = [2, 4, 8, 16, 32, 64] as const;

/** Mistakes with head sizes that are no multiple of a vector's or tile's size, or that differ for values. */
export const tails: readonly Mistake[] = [
  ...widths.map((n) => {
    const sentence = `elements of query and key past the last whole ${n} are left out`;
    return callMistake(
      n === 2 ? "the last element of a head is skipped where its size is odd" : sentence,
      (call) => cut(call, "query", wholes(call.query, n)),
      n === 2 ? { sentence, mutant: "core" } : {},
    );
  }),
  ...widths.map((n) =>
    callMistake(`elements of the output past the last whole ${n} are left at 0`, (call) =>
      cut(call, "value", wholes(call.value, n)),
    ),
  ),
  callMistake("query and key are multiplied over valueDim, not headDim, elements", (call) =>
    cut(call, "query", call.value.shape[3] as number),
  ),
  callMistake("the output has headDim, not valueDim, elements, and the rest are 0", (call) =>
    cut(call, "value", call.query.shape[3] as number),
  ),
];

function wholes(t: HostTensor, n: number): number {
  const size = t.shape[3] as number;
  return size - (size % n);
}

/** A tensor's rows from an element on, as 0; `null` where that is none or all of them. */
function cut(call: Call, name: "query" | "value", from: number): Call | null {
  const t = call[name];
  const size = t.shape[3] as number;
  if (from >= size || from === 0) return null;
  const kept = toFloat64(t).map((x, at) => (at % size < from ? x : 0));
  return { ...call, [name]: fromFloat64(kept, t.shape, t.dtype) };
}

/** Query rows that are never computed. */
export const rowTails: readonly Mistake[] = [4, 8, 16, 32, 64, 128].map((n) => ({
  name: `query rows past the last whole tile of ${n} are left at 0`,
  semantics: {
    kind: "rows",
    rows: (queries) => (queries > n && queries % n !== 0 ? queries - (queries % n) : null),
  },
}));
