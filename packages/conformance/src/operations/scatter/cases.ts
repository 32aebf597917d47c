import { type Assignment, coverPairs, type Factors } from "../../calls/cover.js";
import type { OperationCase } from "../../run/case.js";
import { scatterCase } from "./check.js";
import type { ScatterSpec } from "./spec.js";

type Named = readonly [name: string, spec: ScatterSpec];

const shapes: readonly Named[] = [
  ["one", { batch: 1, heads: 1, count: 1, headDim: 1, rows: 1 }],
  ["decode", { batch: 4, heads: 8, count: 1, headDim: 64, rows: 33 }],
  ["prefill", { batch: 1, count: 97, headDim: 80, rows: 129, slots: "mixed" }],
  ["d59", { count: 3, headDim: 59 }],
  ["whole-target", { count: 7, slots: "mixed" }],
  ["pages", { batch: 3, count: 5, pages: 5, rows: 4 }],
  ["as-many-pages-as-entries", { batch: 2, count: 3, pages: 2, rows: 4, slots: "mixed" }],
  ["one-page", { batch: 2, count: 3, pages: 1, rows: 16, slots: "holes" }],
  ["nothing", { count: 4, slots: "none" }],
  ["empty-count", { count: 0 }],
  ["empty-batch", { batch: 0, count: 2 }],
  ["empty-heads", { heads: 0, count: 2 }],
];

/** Numbers that tell roundings apart, for each pair of dtypes that rounds. */
const edges: readonly Named[] = (["float64", "float32", "float16"] as const).flatMap((source) =>
  (["float32", "float16", "int8"] as const)
    .filter((target) => target !== source)
    .map(
      (target): Named => [
        `${source}-to-${target}`,
        { batch: 1, count: 6, headDim: 12, source, target, values: "edges" },
      ],
    ),
);

const special: readonly Named[] = (["float32", "float16", "int8"] as const).map((target) => [
  target,
  { batch: 1, count: 4, headDim: 5, target, values: "nan" },
]);

const factors: Readonly<Record<string, Readonly<Record<string, Partial<ScatterSpec>>>>> = {
  batch: { b2: { batch: 2 }, b1: { batch: 1 }, b3: { batch: 3 } },
  heads: { h2: { heads: 2 }, h1: { heads: 1 }, h5: { heads: 5 } },
  count: { n3: { count: 3 }, n1: { count: 1 }, n7: { count: 7 } },
  size: {
    d8: { headDim: 8 },
    d1: { headDim: 1 },
    d3: { headDim: 3 },
    d15: { headDim: 15 },
    d66: { headDim: 66 },
  },
  place: { static: { rows: 9 }, pages: { pages: 7, rows: 4 } },
  slots: { append: {}, holes: { slots: "holes" }, mixed: { slots: "mixed" } },
  source: { float32: {}, float16: { source: "float16" }, float64: { source: "float64" } },
  target: {
    "to-float32": {},
    "to-float16": { target: "float16" },
    "to-int8": { target: "int8" },
    "to-float64": { target: "float64" },
  },
  layout: {
    bhld: {},
    blhd: { layout: "blhd" },
    bhdl: { layout: "bhdl" },
    offset: { layout: "offset" },
    "odd-start": { layout: "odd-start" },
  },
  from: { plain: {}, "from-blhd": { from: "blhd" }, "from-bhdl": { from: "bhdl" } },
};

function compatible(_: Assignment): boolean {
  return true;
}

function pairs(): Named[] {
  const names: Factors = Object.fromEntries(
    Object.entries(factors).map(([factor, values]) => [factor, Object.keys(values)]),
  );
  return coverPairs(names, compatible).map((row) => {
    const parts = Object.entries(row).map(([factor, value]) => factors[factor]?.[value]);
    const told = Object.entries(names)
      .filter(([factor, [plainest]]) => row[factor] !== plainest)
      .map(([factor]) => row[factor]);
    return [told.join("_") || "plain", Object.assign({}, ...parts) as ScatterSpec];
  });
}

/** Every synthetic case of scatter. */
export const scatterCases: readonly OperationCase[] = [
  ...shapes.map(([name, spec]) => scatterCase(`scatter/shape-${name}`, spec)),
  ...edges.map(([name, spec]) => scatterCase(`scatter/edges-${name}`, spec)),
  ...special.map(([name, spec]) => scatterCase(`scatter/nan-to-${name}`, spec)),
  ...pairs().map(([name, spec]) => scatterCase(`scatter/pairs-${name}`, spec)),
];
