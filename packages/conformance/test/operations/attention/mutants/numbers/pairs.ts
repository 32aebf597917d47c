import { at, steps } from "../attention.js";
import type { NumberMutant } from "./mutant.js";

/** Each feature alone is right; two together are not. */
export const pairMutants: readonly NumberMutant[] = [
  {
    name: "sinks are ignored beside a window that is not causal",
    published: "flashinfer#1752",
    profile: "pairs",
    steps: {
      sink: (place, call) =>
        call.problem.window !== null && !call.problem.causal
          ? Number.NEGATIVE_INFINITY
          : steps.sink(place, call),
    },
  },
  {
    name: "softcap is ignored beside sinks",
    published: "flashinfer#4976",
    profile: "pairs",
    steps: { capped: (s, call) => (call.problem.sinks ? s : steps.capped(s, call)) },
  },
  {
    name: "the window is ignored beside a mask",
    published: "flashinfer#4976",
    profile: "pairs",
    steps: {
      inBand: ({ p }, j, call) =>
        call.problem.mask === null
          ? steps.inBand({ b: 0, h: 0, i: 0, p }, j, call)
          : !call.problem.causal || j <= p,
    },
  },
  {
    name: "a mask of keys is read without its strides beside kvLengths",
    published: "flashinfer#4976",
    profile: "pairs",
    steps: {
      attends: (place, j, call) => {
        const { mask } = call.bound;
        if (mask === null || !call.problem.kvLengths) return steps.attends(place, j, call);
        return at({ ...mask, strides: [0, 0, 0, 1] }, 0, 0, 0, j) !== 0;
      },
    },
  },
  {
    name: "ALiBi is ignored for grouped heads in decode",
    published: "flashinfer#4976",
    profile: "pairs",
    steps: {
      alibi: (place, j, call) => {
        const { queryHeads, kvHeads, queryLength } = call.problem;
        return queryLength === 1 && queryHeads !== kvHeads ? 0 : steps.alibi(place, j, call);
      },
    },
  },
];
