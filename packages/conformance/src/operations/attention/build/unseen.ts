import {
  type AttentionInputs,
  bindPositions,
  describeProblem,
  type HostTensor,
  Sequence,
  visibleBand,
} from "@heed/core";
import { rewriteElements } from "../../../calls/elements.js";
import type { Poison } from "../spec.js";

type Call = AttentionInputs<HostTensor>;

/** Numbers of the rows `[entry, row]` of key and value that some query may see, by lengths and positions. */
export function seenRows(call: Call): Set<number> {
  const problem = describeProblem(call);
  const positions = bindPositions(problem, call);
  const { left, right } = visibleBand(problem);
  const rows = problem.pages ? problem.pages.size : problem.keyLength;
  const seen = new Set<number>();
  for (let s = 0; s < problem.sequences; s++) {
    const sequence = new Sequence(problem, positions, s);
    const queries = Array.from({ length: sequence.queryLength }, (_, i) =>
      sequence.queryPosition(i),
    );
    sequence.forEachRun(0, sequence.keyLength, (first, entry, row, count) => {
      for (let j = 0; j < count; j++) {
        const at = sequence.keyPosition(first + j);
        if (queries.some((p) => p - left <= at && at <= p + right))
          seen.add(entry * rows + row + j);
      }
    });
  }
  return seen;
}

/** Other numbers in what a call reads for nobody; its layouts stay. */
export function rewriteUnseen(call: Call, replace: (old: number, at: number) => number): Call {
  const seen = seenRows(call);
  const names = ["key", "value", "keyScales", "valueScales"] as const;
  const given = names.filter((name) => call[name] !== undefined);
  const tensors = given.map((name) => call[name] as HostTensor);
  const rewritten = rewriteElements(tensors, (old, at, { shape, dtype }) => {
    const [, heads, rows, size = 1] = shape as [number, number, number, number?];
    const row = Math.floor(at / size) % rows;
    const entry = Math.floor(at / (heads * rows * size));
    if (seen.has(entry * rows + row)) return old;
    // An int8 is a number whatever it holds: its scale is what can spoil it.
    return dtype === "int8" ? (at % 2 === 0 ? 127 : -127) : replace(old, at);
  });
  return { ...call, ...Object.fromEntries(given.map((name, i) => [name, rewritten[i]])) };
}

/** Poisons what no row can see: rows past lengths, pages that nobody uses, keys out of every window. */
export function poisonUnseen(call: Call, poison: Poison): Call {
  const large = call.key.dtype === "float16" ? 6e4 : 1e30;
  const size = { NaN: Number.NaN, infinity: Number.POSITIVE_INFINITY, large }[poison];
  return rewriteUnseen(call, (_, at) => (at % 2 === 0 ? size : -size));
}
