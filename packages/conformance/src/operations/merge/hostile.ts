import { cast, fromFloat64, type HostTensor } from "@heed/core";
import { junk, pick } from "../../calls/junk.js";
import type { Random } from "../../calls/random.js";
import { spoilTensor } from "../../calls/spoiled-tensors.js";
import { ieee754 } from "../../judge/arithmetic.js";
import type { OperationCase } from "../../run/case.js";
import { type Spoiling, wrongCallsCase } from "../../run/wrong-calls.js";
import { buildMerge, type MergeCall } from "./build.js";
import { judgedMerge } from "./judged.js";

/** A call in which one part has other tensors. */
function withPart(call: MergeCall, p: number, change: Record<string, unknown>): unknown {
  return { parts: call.parts.map((part, at) => (at === p ? { ...part, ...change } : part)) };
}

const anyPart = ({ parts }: MergeCall, random: Random): number =>
  Math.floor(random.uniform() * parts.length);

/** Every kind of wrong call, on three parts of float32. */
const changes: readonly Spoiling<MergeCall>[] = [
  ...(["output", "logSumExp"] as const).flatMap((argument) =>
    Object.entries(spoilTensor).map(
      ([what, spoil]): Spoiling<MergeCall> => [
        `${argument} ${what}`,
        (call, random) => {
          const p = anyPart(call, random);
          return withPart(call, p, {
            [argument]: spoil(call.parts[p]?.[argument] as HostTensor, random),
          });
        },
      ],
    ),
  ),
  ["the inputs are junk", (_, random) => pick(random, junk)],
  ["parts are missing", () => ({})],
  ["parts are junk", (_, random) => ({ parts: pick(random, junk) })],
  ["there are no parts", () => ({ parts: [] })],
  ["parts are no list", ({ parts }) => ({ parts: { ...parts, length: parts.length } })],
  [
    "a part is junk",
    (call, random) => {
      const wrong = anyPart(call, random);
      return { parts: call.parts.map((part, p) => (p === wrong ? pick(random, junk) : part)) };
    },
  ],
  ["a part is null", ({ parts }) => ({ parts: [...parts, null] })],
  // biome-ignore lint/suspicious/noSparseArray: a hole is what is tried
  ["a part is a hole", ({ parts }) => ({ parts: [parts[0], , parts[1]] })],
  ["a part is its output", ({ parts }) => ({ parts: parts.map(({ output }) => output) })],
  [
    "an output is missing",
    (call, random) => withPart(call, anyPart(call, random), { output: undefined }),
  ],
  [
    "a log-sum-exp is missing",
    (call, random) => withPart(call, anyPart(call, random), { logSumExp: undefined }),
  ],
  [
    "a part has an argument that does not exist",
    (call, random) => withPart(call, anyPart(call, random), { lse: 1 }),
  ],
  ["there is an argument that does not exist", (call) => ({ ...call, part: call.parts[0] })],
  [
    "output and log-sum-exp are swapped",
    (call) => ({
      parts: call.parts.map(({ output, logSumExp }) => ({ output: logSumExp, logSumExp: output })),
    }),
  ],
  ...(
    [
      ["rows", [2, 4], 8],
      ["value size", [2, 3], 9],
      ["axes", [6], 8],
      ["an axis more", [1, 2, 3], 8],
    ] as const
  ).map(
    ([what, rows, valueDim]): Spoiling<MergeCall> => [
      `a part has other ${what}`,
      (call, random) => {
        const [other] = buildMerge({ parts: 1, rows, valueDim }, "other", ieee754).parts;
        return withPart(call, anyPart(call, random), { ...other });
      },
    ],
  ),
  [
    "the log-sum-exp keeps a last axis of 1",
    (call) => ({
      parts: call.parts.map(({ output, logSumExp }) => ({
        output,
        logSumExp: { ...logSumExp, shape: [2, 3, 1], strides: [3, 1, 1] },
      })),
    }),
  ],
  ...(["output", "logSumExp"] as const).flatMap((argument) => [
    [
      `one ${argument} has another dtype`,
      (call: MergeCall, random: Random) => {
        const p = anyPart(call, random);
        const t = call.parts[p]?.[argument] as HostTensor;
        return withPart(call, p, {
          [argument]: cast(t, pick(random, ["float16", "float64"] as const)),
        });
      },
    ] as const,
    [
      `${argument} is of integers`,
      (call: MergeCall) => ({
        parts: call.parts.map((part) => ({ ...part, [argument]: cast(part[argument], "int32") })),
      }),
    ] as const,
  ]),
  [
    "there are too many axes",
    () => {
      const shape = [1, 1, 1, 1, 1, 1, 1, 1, 2];
      const output = fromFloat64([1, 2, 3, 4], [...shape, 2], "float32");
      return { parts: [{ output, logSumExp: fromFloat64([1, 2], shape, "float32") }] };
    },
  ],
];

/** Calls that must be refused before any backend sees them. */
export const mergeWrongCalls: OperationCase = wrongCallsCase({
  of: judgedMerge,
  build: (seed, arithmetic) =>
    buildMerge({ parts: 3, rows: [2, 3], valueDim: 8 }, seed, arithmetic),
  kinds: changes,
  times: 4,
});
