import type { Assignment } from "../../calls/cover.js";
import { pairedSpecs, type SpecFactors } from "../../calls/pairs.js";
import type { OperationCase } from "../../run/case.js";
import { callCases } from "../../run/check-call.js";
import { buildRotary } from "./build.js";
import { judgedRotary } from "./judged.js";
import type { RotarySpec } from "./spec.js";

type Named = readonly [name: string, spec: RotarySpec];

const shapes: readonly Named[] = [
  ["one", { length: 1, heads: 1, headDim: 2 }],
  ["d2", { length: 5, headDim: 2 }],
  ["d6", { length: 5, headDim: 6 }],
  ["d16", { length: 7 }],
  ["d58", { length: 9, headDim: 58 }],
  ["d64", { length: 33, headDim: 64 }],
  ["d128", { length: 17, headDim: 128 }],
  ["d256", { length: 3, headDim: 256 }],
  ["batch3-heads3", { batch: 3, heads: 3, length: 5, headDim: 8 }],
  ["decode", { batch: 4, heads: 8, length: 1, headDim: 64, positions: "offset-per-batch" }],
  ["long", { length: 1025, heads: 1, headDim: 8 }],
  ["empty-length", { length: 0 }],
  ["empty-batch", { batch: 0, length: 3 }],
  ["empty-heads", { heads: 0, length: 3 }],
];

const partial: readonly Named[] = [
  ["d16-of-2", { length: 5, rotaryDim: 2 }],
  ["d16-of-10", { length: 5, rotaryDim: 10 }],
  ["d15-of-14", { length: 5, headDim: 15, rotaryDim: 14 }],
  ["d80-of-20", { length: 5, headDim: 80, rotaryDim: 20 }],
  ["d15-of-6-interleaved", { length: 5, headDim: 15, rotaryDim: 6, interleaved: true }],
  ["d80-of-20-interleaved", { length: 5, headDim: 80, rotaryDim: 20, interleaved: true }],
];

const edges: readonly Named[] = [
  ["offset-0", { length: 4, positions: "offset", offset: 0 }],
  ["offset-negative", { length: 4, positions: "offset", offset: -7 }],
  ["offset-far", { length: 4, positions: "offset", offset: 1_000_003 }],
  ["offset-last", { length: 4, positions: "offset", offset: 2 ** 31 - 4 }],
  ["nan", { batch: 2, length: 4, headDim: 8, notANumber: true }],
  ["nan-interleaved", { batch: 2, length: 4, headDim: 8, interleaved: true, notANumber: true }],
  ["nan-not-turned", { batch: 2, length: 4, headDim: 8, rotaryDim: 4, notANumber: true }],
];

const factors: SpecFactors<RotarySpec> = {
  batch: { b1: { batch: 1 }, b3: { batch: 3 } },
  heads: { h2: { heads: 2 }, h1: { heads: 1 }, h5: { heads: 5 } },
  length: { l7: { length: 7 }, l1: { length: 1 }, l33: { length: 33 } },
  size: { d16: { headDim: 16 }, d64: { headDim: 64 }, d30: { headDim: 30 } },
  turned: { whole: {}, half: { rotaryDim: 8 }, most: { rotaryDim: 14 } },
  pairs: { halves: {}, interleaved: { interleaved: true } },
  dtype: { float32: {}, float16: { dtype: "float16" }, float64: { dtype: "float64" } },
  layout: {
    bhld: {},
    blhd: { layout: "blhd" },
    bhdl: { layout: "bhdl" },
    offset: { layout: "offset" },
    "odd-start": { layout: "odd-start" },
  },
  source: {
    theta: {},
    frequencies: { source: "frequencies" },
    table: { source: "table" },
    "own-table": { source: "own-table" },
    rows: { source: "rows" },
  },
  positions: {
    "from-0": {},
    ahead: { positions: "offset" },
    "per-batch-offset": { positions: "offset-per-batch" },
    shared: { positions: "shared" },
    "per-batch": { positions: "per-batch" },
  },
};

/** One row a token stands in place of positions. */
function compatible(a: Assignment): boolean {
  return !(a.source === "rows" && (a.positions ?? "from-0") !== "from-0");
}

const isWide = (value: unknown): boolean => value === "float64";

/** Every synthetic case of rotary position embedding. */
export const rotaryCases: readonly OperationCase[] = callCases({
  of: judgedRotary,
  build: buildRotary,
  isWide: ({ dtype }) => isWide(dtype),
  specs: [
    ...shapes.map(([name, spec]) => [`rotary/shape-${name}`, spec] as const),
    ...partial.map(([name, spec]) => [`rotary/partial-${name}`, spec] as const),
    ...edges.map(([name, spec]) => [`rotary/${name}`, spec] as const),
    ...pairedSpecs(factors, compatible, (value) => !isWide(value)).map(
      ([name, spec]) => [`rotary/pairs-${name}`, spec] as const,
    ),
  ],
});
