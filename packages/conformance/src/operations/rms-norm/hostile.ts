import { type HostTensor, slice, zeros } from "@heed/core";
import type { Random } from "../../calls/random.js";
import { spoilTensor } from "../../calls/spoiled-tensors.js";
import type { OperationCase } from "../../run/case.js";
import { type Spoiling, wrongCallsCase } from "../../run/wrong-calls.js";
import { buildRmsNorm, type RmsNormCall } from "./build.js";
import { judgedRmsNorm } from "./judge.js";

type Change = (call: RmsNormCall, random: Random) => Record<string, unknown>;

/** Every kind of wrong call, on an input `[2, 3, 16]`. */
const changes: readonly (readonly [name: string, change: Change])[] = [
  ...(["input", "weight"] as const).flatMap((argument) =>
    Object.entries(spoilTensor).map(([what, spoil]): readonly [string, Change] => [
      `${argument} ${what}`,
      (call, random) => ({ [argument]: spoil(call[argument] as HostTensor, random) }),
    ]),
  ),
  ["input is missing", () => ({ input: undefined })],
  ["weight is missing", () => ({ weight: undefined })],
  ["input has no axes", () => ({ input: zeros("float32", []) })],
  ["input has five axes", () => ({ input: zeros("float32", [1, 1, 2, 3, 16]) })],
  ["weight has another size", ({ weight }) => ({ weight: slice(weight, 0, 0, 15) })],
  ["weight has two axes", () => ({ weight: zeros("float32", [1, 16]) })],
  ["weight is of another dtype", () => ({ weight: zeros("float64", [16]) })],
  ["epsilon is 0", () => ({ epsilon: 0 })],
  ["epsilon is negative", () => ({ epsilon: -1e-6 })],
  ["epsilon is NaN", () => ({ epsilon: Number.NaN })],
  ["epsilon is infinite", () => ({ epsilon: Number.POSITIVE_INFINITY })],
  ["epsilon is a string", () => ({ epsilon: "1e-6" })],
  ["there is an argument that does not exist", () => ({ eps: 1e-6 })],
];

/** Calls that must be refused before any backend sees them. */
export const rmsNormWrongCalls: OperationCase = wrongCallsCase({
  of: judgedRmsNorm,
  build: (seed) => buildRmsNorm({ shape: [2, 3, 16] }, seed),
  kinds: changes.map(
    ([name, change]): Spoiling<RmsNormCall> => [
      name,
      (call, random) => ({ ...call, ...change(call, random) }),
    ],
  ),
  times: 2,
});
