import { type HostTensor, scatter, slice, zeros } from "@heed/core";
import { bitsOf, sameBits } from "../../calls/bits.js";
import { junk, pick } from "../../calls/junk.js";
import { Random } from "../../calls/random.js";
import { spoilTensor } from "../../calls/spoiled-tensors.js";
import type { OperationCase } from "../../run/case.js";
import { operationSupport } from "../../run/operation-support.js";
import { checkWrongCalls } from "../../run/wrong-calls.js";
import { buildScatter, type ScatterCall } from "./build.js";

type Change = (call: ScatterCall, random: Random) => Record<string, unknown>;

/** Every kind of wrong call, on one with an int8 target `[2, 2, 7, 8]` and three rows for each entry. */
const changes: readonly (readonly [name: string, change: Change])[] = [
  ...(["target", "source", "scales"] as const).flatMap((argument) =>
    Object.entries(spoilTensor).map(([what, spoil]): readonly [string, Change] => [
      `${argument} ${what}`,
      (call, random) => ({ [argument]: spoil(call[argument] as HostTensor, random) }),
    ]),
  ),
  ["target is missing", () => ({ target: undefined })],
  ["source is missing", () => ({ source: undefined })],
  ["slots are missing", () => ({ slots: undefined })],
  ["scales are missing", () => ({ scales: undefined })],
  [
    "scales stand beside a float target",
    ({ target }) => ({ target: zeros("float32", target.shape) }),
  ],
  ["scales have another size", ({ scales }) => ({ scales: slice(scales as HostTensor, 2, 0, 6) })],
  ["source has other heads", ({ source }) => ({ source: slice(source, 1, 0, 1) })],
  ["source has another head size", ({ source }) => ({ source: slice(source, 3, 0, 4) })],
  ["source is of int8", ({ source }) => ({ source: zeros("int8", source.shape) })],
  [
    "target has other entries and is not paged",
    () => ({
      target: zeros("int8", [3, 2, 7, 8]),
      scales: zeros("float32", [3, 2, 7]),
      paged: false,
    }),
  ],
  [
    "slots are wrong",
    (_, random) => ({
      slots: pick(random, [
        Int32Array.of(0, 1, 2),
        Int32Array.of(0, 1, 2, 3, 4, 7),
        Int32Array.of(0, 1, 2, 3, 4, -2),
        Int32Array.of(0, 1, 2, 3, 4, 4),
        Int32Array.of(0, 1, 2, 3, 4, 2 ** 31 - 1),
        new Float32Array(6),
        [0, 1, 2, 3, 4, 5],
        zeros("int32", [6]),
        zeros("float32", [2, 3]),
        ...junk,
      ]),
    }),
  ],
  [
    "slots of pages are wrong",
    (_, random) => ({
      paged: true,
      slots: pick(random, [
        Int32Array.of(0, 1, 2, 3, 4, 14),
        Int32Array.of(0, 1, 2, 0, 4, 5),
        Int32Array.of(0, 1, -5, 3, 4, 5),
      ]),
    }),
  ],
  ["paged is wrong", (_, random) => ({ paged: pick(random, [0, 1, "true", null, {}]) })],
  [
    "the source lies in the target",
    (_, random) => {
      const target = random.tensor([2, 2, 7, 8], "float32");
      return { target, source: slice(target, 2, 2, 5), scales: undefined };
    },
  ],
  [
    "rows of the target share memory",
    ({ target }) => ({ target: { ...target, strides: [112, 56, 0, 1] } }),
  ],
  ["there is an argument that does not exist", () => ({ slot: 1 })],
];

/** Calls that must be refused before any backend sees them, and before anything is written. */
export const scatterWrongCalls: OperationCase = {
  id: "scatter/wrong-calls",
  profile: "scatter",
  operation: "scatter",
  check: async ({ backend, seed }) => {
    const spec = { count: 3, target: "int8" } as const;
    const support = await operationSupport(backend, scatter.describe(buildScatter(spec, "right")));
    if (!support.ok) return { failures: support.failures, reasons: support.reasons };
    const random = new Random(seed);
    const failures: string[] = [];
    for (const [i, [name, change]] of [...changes, ...changes].entries()) {
      const call = buildScatter(spec, `hostile-${i % 8}`);
      const before = bitsOf(call.target);
      const inputs = { ...call, ...change(call, random) };
      failures.push(...(await checkWrongCalls(backend, scatter, [{ name, inputs }])));
      if (!sameBits(before, bitsOf(call.target))) failures.push(`${name}: the target was written`);
    }
    return { failures };
  },
};
