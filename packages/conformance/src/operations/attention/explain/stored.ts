import {
  type AttentionInputs,
  bindInputs,
  describeProblem,
  fromFloat64,
  type HostTensor,
  Sequence,
  tensor,
  toFloat64,
} from "@heed/core";
import { sentenceOf } from "../mistakes/mistake.js";
import { servingMistakes } from "../mistakes/serving.js";
import type { Came } from "./came.js";
import { plainOutput } from "./trial.js";

type Call = AttentionInputs<HostTensor>;

/** Mistakes with stored keys, sequences or positions that would give what came. */
export function explainStored(call: Call, came: Came): string[] {
  return servingMistakes.flatMap((mistake) => {
    const sentence = sentenceOf(mistake);
    const made = sentence === null ? null : outputOf(call, mistake.semantics);
    return sentence !== null && made !== null && came.isAll(made) ? [sentence] : [];
  });
}

function outputOf(
  call: Call,
  semantics: (typeof servingMistakes)[number]["semantics"],
): Float64Array | null {
  if (semantics.kind !== "call") return null;
  try {
    const changed = semantics.change(call);
    return changed && plainOutput(changed);
  } catch {
    // The mistake makes no call of this one.
    return null;
  }
}

/**
 * The same call with keys and values in float64, row after row; `null` for a ragged batch, whose rows
 * are other ones, and for positions as data, which are storage too. Which mistakes give an output does not depend on dtypes.
 */
export function unstored(call: Call): Call | null {
  const problem = describeProblem(call);
  if (problem.ragged || problem.positions === "data") return null;
  const bound = bindInputs(problem, call);
  const { batch, kvHeads, keyLength } = problem;
  const dense = (t: HostTensor, scales: HostTensor | null): HostTensor => {
    const [, , rows, size] = t.shape as [number, number, number, number];
    const from = toFloat64(t);
    const factors = scales && toFloat64(scales);
    const to = new Float64Array(batch * kvHeads * keyLength * size);
    for (let s = 0; s < batch; s++) {
      const sequence = new Sequence(problem, bound, s);
      sequence.forEachRun(0, sequence.keyLength, (first, entry, row, count) => {
        for (let g = 0; g < kvHeads; g++) {
          for (let j = 0; j < count; j++) {
            const stored = (entry * kvHeads + g) * rows + row + j;
            const at = ((s * kvHeads + g) * keyLength + first + j) * size;
            for (let c = 0; c < size; c++) {
              to[at + c] = (from[stored * size + c] as number) * (factors?.[stored] ?? 1);
            }
          }
        }
      });
    }
    return tensor(to, [batch, kvHeads, keyLength, size]);
  };
  const { keyScales: _k, valueScales: _v, pageTable: _p, ...rest } = call;
  const { query, bias } = call;
  const wide = (t: HostTensor): HostTensor => fromFloat64(toFloat64(t), t.shape, "float64");
  return {
    ...rest,
    query: wide(query),
    key: dense(call.key, bound.keyScales),
    value: dense(call.value, bound.valueScales),
    ...(bias && { bias: wide(bias) }),
  };
}
