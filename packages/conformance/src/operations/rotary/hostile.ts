import type { HostTensor } from "@heed/core";
import { junk, pick, wrongInteger } from "../../calls/junk.js";
import type { Random } from "../../calls/random.js";
import { spoilTensor } from "../../calls/spoiled-tensors.js";
import type { OperationCase } from "../../run/case.js";
import { type Spoiling, wrongCallsCase } from "../../run/wrong-calls.js";
import { buildRotary, type RotaryCall } from "./build.js";
import { judgedRotary } from "./judged.js";

type Change = (call: RotaryCall, random: Random) => Record<string, unknown>;

const notPositive = [...junk.filter((x) => typeof x !== "number"), 0, -1, Number.NaN, Infinity];

/** Every kind of wrong call, on one whose angles come from tables and whose positions are tokens'. */
const changes: readonly (readonly [name: string, change: Change])[] = [
  ...(["input", "cos", "sin"] as const).flatMap((argument) =>
    Object.entries(spoilTensor).map(([what, spoil]): readonly [string, Change] => [
      `${argument} ${what}`,
      (call, random) => ({ [argument]: spoil(call[argument] as HostTensor, random) }),
    ]),
  ),
  ["input is missing", () => ({ input: undefined })],
  ["there is no source of angles", () => ({ cos: undefined, sin: undefined })],
  ["sines are missing", () => ({ sin: undefined })],
  ["there are two sources of angles", () => ({ theta: 10_000 })],
  [
    "theta is wrong",
    (_, random) => ({ cos: undefined, sin: undefined, theta: pick(random, notPositive) }),
  ],
  [
    "frequencies are wrong",
    (_, random) => ({
      cos: undefined,
      sin: undefined,
      inverseFrequencies: pick(random, [
        [1],
        [1, 2, 3, Number.NaN],
        "1234",
        4,
        null,
        [1, 2, 3, "4"],
      ]),
    }),
  ],
  [
    "rotaryDim is wrong",
    (_, random) => ({ rotaryDim: pick(random, [0, 3, 10, -2, 2.5, "8", null, {}]) }),
  ],
  [
    "interleaved is wrong",
    (_, random) => ({ interleaved: pick(random, [0, 1, "true", null, {}]) }),
  ],
  ["positions and an offset are given", () => ({ offset: 1 })],
  [
    "the offset is wrong",
    (_, random) => ({
      positions: undefined,
      offset: pick(random, [0.5, -1, 64, 2 ** 31, "1", [1], [1, 2, 3], [1, 0.5], null]),
    }),
  ],
  [
    "positions are wrong",
    (_, random) => ({
      positions: pick(random, [
        Int32Array.of(1),
        Int32Array.of(1, 2, 64),
        Int32Array.of(-1, 2, 3),
        new Float32Array(3),
        [1, 2, 3],
        "123",
        null,
        wrongInteger(random) ?? null,
      ]),
    }),
  ],
  ["there is an argument that does not exist", () => ({ Theta: 10_000 })],
];

/** Calls that must be refused before any backend sees them. */
export const rotaryWrongCalls: OperationCase = wrongCallsCase({
  of: judgedRotary,
  build: (seed) =>
    buildRotary({ batch: 2, length: 3, headDim: 8, source: "table", positions: "shared" }, seed),
  kinds: changes.map(
    ([name, change]): Spoiling<RotaryCall> => [
      name,
      (call, random) => ({ ...call, ...change(call, random) }),
    ],
  ),
  times: 2,
});
