import { createAttention, HeedError, type HostTensor, rotary } from "@heed/core";
import { junk, pick, wrongInteger } from "../../calls/junk.js";
import { Random } from "../../calls/random.js";
import { spoilTensor } from "../../calls/spoiled-tensors.js";
import { borrow } from "../../run/borrow.js";
import type { OperationCase } from "../../run/case.js";
import { operationSupport } from "../../run/operation-support.js";
import { buildRotary, type RotaryCall } from "./build.js";

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

const calls = 120;

/** Calls that must be refused before any backend sees them. */
export const rotaryWrongCalls: OperationCase = {
  id: "rotary/wrong-calls",
  profile: "rotary",
  operation: "rotary",
  check: async ({ backend, seed }) => {
    const support = await operationSupport(
      backend,
      rotary.describe(buildRotary({ length: 2 }, "right")),
    );
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
        const call = buildRotary(
          { batch: 2, length: 3, headDim: 8, source: "table", positions: "shared" },
          `hostile-${i % 8}`,
        );
        asked = 0;
        const error: unknown = await attention
          .apply(rotary, { ...call, ...change(call, random) } as never)
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
