import { type BoundRotary, fromFloat64, type HostTensor, rotary, toFloat64 } from "@heed/core";
import type { StepMistake } from "../../run/step-mistakes.js";
import type { RotaryCall } from "./build.js";

/** Arguments of the rotation of one pair of elements: batch `b`, token `l`, pair `i`, and the bound call. */
interface Pair {
  readonly b: number;
  readonly l: number;
  /** Number of the pair, from 0 to rotaryDim / 2 − 1. */
  readonly i: number;
  readonly bound: BoundRotary<HostTensor>;
}

/** Rotary position embedding in steps that a mistake can replace. As they stand they are right. */
export const rotarySteps = {
  /** Indices of the two elements of a pair within the head vector. */
  pair: ({ i, bound: { problem: p } }: Pair): readonly [number, number] =>
    p.interleaved ? [2 * i, 2 * i + 1] : [i, i + p.rotaryDim / 2],
  /** Row of the tables. */
  row: ({ b, l, bound }: Pair): number => bound.rows[b * bound.problem.length + l] as number,
  /** Index of a pair's cosine and sine within the tables. */
  lookup: (row: number, { i, bound }: Pair): number => row * (bound.problem.rotaryDim / 2) + i,
  turn: (x: number, y: number, cos: number, sin: number): readonly [number, number] => [
    x * cos - y * sin,
    y * cos + x * sin,
  ],
  /** Pairs that are turned. */
  pairs: ({ problem: p }: BoundRotary): number => p.rotaryDim / 2,
  /** An element from rotaryDim on. */
  rest: (x: number): number => x,
};

export type RotarySteps = typeof rotarySteps;

export type RotaryMistake = StepMistake<RotarySteps>;

/** Computes a call with some steps replaced; elements that a step finds nowhere are NaN. */
export function turnWith(call: RotaryCall, replaced: Partial<RotarySteps>): HostTensor {
  const problem = rotary.describe(call);
  const bound = rotary.bind(problem, call) as BoundRotary<HostTensor>;
  const s = { ...rotarySteps, ...replaced };
  const input = toFloat64(bound.input);
  const [cos, sin] = [toFloat64(bound.cos), toFloat64(bound.sin)];
  const { batch, heads, length, headDim, rotaryDim, dtype } = problem;
  const output = input.map((x, at) => (at % headDim < rotaryDim ? x : s.rest(x)));
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let l = 0; l < length; l++) {
        const at = ((b * heads + h) * length + l) * headDim;
        for (let i = 0; i < s.pairs(bound); i++) {
          const place: Pair = { b, l, i, bound };
          const [first, second] = s.pair(place);
          const angle = s.lookup(s.row(place), place);
          const [x, y] = s.turn(
            input[at + first] as number,
            input[at + second] as number,
            cos[angle] ?? Number.NaN,
            sin[angle] ?? Number.NaN,
          );
          output[at + first] = x;
          output[at + second] = y;
        }
      }
    }
  }
  return fromFloat64(output, [batch, heads, length, headDim], dtype);
}

export const rotaryMistakes: readonly RotaryMistake[] = [
  {
    name: "pairs are neighbours where halves are asked for, and halves where neighbours are",
    steps: {
      pair: ({ i, bound: { problem: p } }) =>
        p.interleaved ? [i, i + p.rotaryDim / 2] : [2 * i, 2 * i + 1],
    },
  },
  {
    name: "halves lie headDim / 2 apart instead of rotaryDim / 2",
    steps: {
      pair: (place) =>
        place.bound.problem.interleaved
          ? rotarySteps.pair(place)
          : [place.i, place.i + Math.floor(place.bound.problem.headDim / 2)],
    },
  },
  {
    name: "vectors turn the other way",
    steps: { turn: (x, y, cos, sin) => [x * cos + y * sin, y * cos - x * sin] },
  },
  {
    name: "cosine and sine are swapped",
    steps: { turn: (x, y, cos, sin) => rotarySteps.turn(x, y, sin, cos) },
  },
  {
    name: "only the first element of a pair is turned",
    steps: { turn: (x, y, cos, sin) => [x * cos - y * sin, y] },
  },
  {
    name: "the second element of a pair is made from the first one's new value",
    steps: {
      turn: (x, y, cos, sin) => {
        const first = x * cos - y * sin;
        return [first, y * cos + first * sin];
      },
    },
  },
  {
    name: "positions count from 0, whatever offset or positions say",
    steps: { row: ({ l }) => l },
  },
  {
    name: "the positions of batch 0 serve all batches",
    steps: { row: (place) => rotarySteps.row({ ...place, b: 0 }) },
  },
  {
    name: "each token has the position of the one before it",
    steps: { row: (place) => rotarySteps.row({ ...place, l: Math.max(0, place.l - 1) }) },
  },
  {
    name: "rows of the tables lie rotaryDim elements apart instead of rotaryDim / 2",
    steps: { lookup: (row, { i, bound }) => row * bound.problem.rotaryDim + i },
  },
  {
    name: "the last pair is left as it is",
    steps: { pairs: ({ problem: p }) => p.rotaryDim / 2 - 1 },
  },
  {
    name: "pairs past the last whole vector of 4 are left as they are",
    steps: { pairs: ({ problem: p }) => p.rotaryDim / 2 - ((p.rotaryDim / 2) % 4) },
  },
  { name: "elements from rotaryDim on become 0", steps: { rest: () => 0 } },
];
