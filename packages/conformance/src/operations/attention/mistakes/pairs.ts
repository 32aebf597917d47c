import { type Mistake, stepMistake } from "./mistake.js";
import { at, steps } from "./steps.js";

/** Each feature alone is right; two together are not. */
export const pairMistakes: readonly Mistake[] = [
  stepMistake(
    "sinks are ignored beside a window that is not causal",
    "pairs",
    {
      sink: (place, call) =>
        call.problem.window !== null && !call.problem.causal
          ? Number.NEGATIVE_INFINITY
          : steps.sink(place, call),
    },
    "flashinfer#1752",
  ),
  stepMistake(
    "the window is ignored beside a mask",
    "pairs",
    {
      inBand: ({ p }, j, call) =>
        call.problem.mask === null
          ? steps.inBand({ b: 0, h: 0, i: 0, p }, j, call)
          : !call.problem.causal || j <= p,
    },
    "flashinfer#4976",
  ),
  stepMistake(
    "a mask of keys is read without its strides beside kvLengths",
    "pairs",
    {
      attends: (place, j, call) => {
        const { mask } = call.bound;
        if (mask === null || !call.problem.kvLengths) return steps.attends(place, j, call);
        return at({ ...mask, strides: [0, 0, 0, 1] }, 0, 0, 0, j) !== 0;
      },
    },
    "flashinfer#4976",
  ),
  stepMistake(
    "ALiBi is ignored for grouped heads in decode",
    "pairs",
    {
      alibi: (place, j, call) => {
        const { queryHeads, kvHeads, queryLength } = call.problem;
        return queryLength === 1 && queryHeads !== kvHeads ? 0 : steps.alibi(place, j, call);
      },
    },
    "flashinfer#4976",
  ),
];
