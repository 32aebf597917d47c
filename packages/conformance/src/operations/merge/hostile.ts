import { cast, createAttention, fromFloat64, HeedError, type HostTensor, merge } from "@heed/core";
import { junk, pick } from "../../calls/junk.js";
import { Random } from "../../calls/random.js";
import { spoilTensor } from "../../calls/spoiled-tensors.js";
import { ieee754 } from "../../judge/arithmetic.js";
import { borrow } from "../../run/borrow.js";
import type { OperationCase } from "../../run/case.js";
import { operationSupport } from "../../run/operation-support.js";
import { buildMerge, type MergeCall } from "./build.js";

type Change = (call: MergeCall, random: Random) => unknown;

/** A call in which one part has other tensors. */
function withPart(call: MergeCall, p: number, change: Record<string, unknown>): unknown {
  return { parts: call.parts.map((part, at) => (at === p ? { ...part, ...change } : part)) };
}

const anyPart = ({ parts }: MergeCall, random: Random): number =>
  Math.floor(random.uniform() * parts.length);

/** Every kind of wrong call, on three parts of float32. */
const changes: readonly (readonly [name: string, change: Change])[] = [
  ...(["output", "logSumExp"] as const).flatMap((argument) =>
    Object.entries(spoilTensor).map(([what, spoil]): readonly [string, Change] => [
      `${argument} ${what}`,
      (call, random) => {
        const p = anyPart(call, random);
        return withPart(call, p, {
          [argument]: spoil(call.parts[p]?.[argument] as HostTensor, random),
        });
      },
    ]),
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
  ).map(([what, rows, valueDim]): readonly [string, Change] => [
    `a part has other ${what}`,
    (call, random) => {
      const [other] = buildMerge({ parts: 1, rows, valueDim }, "other", ieee754).parts;
      return withPart(call, anyPart(call, random), { ...other });
    },
  ]),
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

/** Each change several times, on other parts and with other junk. */
const calls = 4 * changes.length;

/** Calls that must be refused before any backend sees them. */
export const mergeWrongCalls: OperationCase = {
  id: "merge/wrong-calls",
  profile: "merge",
  operation: "merge",
  check: async ({ backend, seed, arithmetic }) => {
    const build = (name: string): MergeCall =>
      buildMerge({ parts: 3, rows: [2, 3], valueDim: 8 }, name, arithmetic);
    const support = await operationSupport(backend, merge.describe(build("right")));
    if (!support.ok) return { failures: support.failures, reasons: support.reasons };
    const random = new Random(seed);
    let asked = 0;
    const borrowed = borrow(backend);
    const watched = {
      ...borrowed,
      plan: (problem: never) => {
        asked += 1;
        return borrowed.plan(problem);
      },
    };
    const attention = await createAttention({
      backends: [{ name: backend.name, load: async () => watched }],
      selfTest: false,
      fallback: "silent",
    });
    const failures = new Set<string>();
    try {
      for (let i = 0; i < calls; i++) {
        const [name, change] = changes[i % changes.length] as (typeof changes)[number];
        asked = 0;
        const error: unknown = await attention
          .apply(merge, change(build(`hostile-${i % 8}`), random) as never)
          .then(
            () => null,
            (thrown: unknown) => thrown,
          );
        if (error === null) failures.add(`${name}: accepted`);
        else if (!(error instanceof HeedError)) failures.add(`${name}: throws ${String(error)}`);
        if (asked > 0) failures.add(`${name}: the backend's plan() was called`);
      }
    } finally {
      await attention.dispose();
    }
    return { failures: [...failures] };
  },
};
