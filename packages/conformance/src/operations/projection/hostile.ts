import { type HostTensor, slice, zeros } from "@heed/core";
import type { Random } from "../../calls/random.js";
import { spoilTensor } from "../../calls/spoiled-tensors.js";
import type { OperationCase } from "../../run/case.js";
import { type Spoiling, wrongCallsCase } from "../../run/wrong-calls.js";
import { buildProjection, type ProjectionCall } from "./build.js";
import { judgedProjection } from "./judge.js";

type Change = (call: ProjectionCall, random: Random) => Record<string, unknown>;

/** Every kind of wrong call, on an input `[2, 3, 16]` and a weight `[12, 16]` with a bias. */
const changes: readonly (readonly [name: string, change: Change])[] = [
  ...(["input", "weight", "bias"] as const).flatMap((argument) =>
    Object.entries(spoilTensor).map(([what, spoil]): readonly [string, Change] => [
      `${argument} ${what}`,
      (call, random) => ({ [argument]: spoil(call[argument] as HostTensor, random) }),
    ]),
  ),
  ["input is missing", () => ({ input: undefined })],
  ["weight is missing", () => ({ weight: undefined })],
  ["weight has another input size", ({ weight }) => ({ weight: slice(weight, 1, 0, 15) })],
  ["weight is of another dtype", ({ weight }) => ({ weight: zeros("float64", weight.shape) })],
  ["bias has another size", ({ bias }) => ({ bias: slice(bias as HostTensor, 0, 0, 11) })],
  ["bias is of another dtype", () => ({ bias: zeros("float16", [12]) })],
  ["there is an argument that does not exist", () => ({ biases: 1 })],
];

/** Calls that must be refused before any backend sees them. */
export const projectionWrongCalls: OperationCase = wrongCallsCase({
  of: judgedProjection,
  build: (seed) => buildProjection({ batch: 2, length: 3, bias: true }, seed),
  kinds: changes.map(
    ([name, change]): Spoiling<ProjectionCall> => [
      name,
      (call, random) => ({ ...call, ...change(call, random) }),
    ],
  ),
  times: 2,
});
