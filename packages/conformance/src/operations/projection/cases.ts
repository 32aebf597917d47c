import { pairedSpecs, type SpecFactors } from "../../calls/pairs.js";
import type { OperationCase } from "../../run/case.js";
import { callCases } from "../../run/check-call.js";
import { buildProjection } from "./build.js";
import { judgedProjection } from "./judge.js";
import type { ProjectionSpec } from "./spec.js";

type Named = readonly [name: string, spec: ProjectionSpec];

const shapes: readonly Named[] = [
  ["one", { length: 1, inputSize: 1, outputSize: 1 }],
  ["decode", { batch: 3, length: 1, inputSize: 128, outputSize: 97, bias: true }],
  ["prefill", { length: 65, inputSize: 59, outputSize: 66, bias: true }],
  ["wide", { length: 2, inputSize: 4099, outputSize: 3 }],
  ["empty-length", { length: 0 }],
  ["empty-batch", { batch: 0, length: 3 }],
  ["empty-output", { length: 3, outputSize: 0 }],
  ["cancel", { length: 5, inputSize: 254, values: "cancel" }],
  ["nan", { batch: 2, length: 3, values: "nan" }],
];

const factors: SpecFactors<ProjectionSpec> = {
  batch: { b1: { batch: 1 }, b3: { batch: 3 } },
  length: { l5: { length: 5 }, l1: { length: 1 }, l17: { length: 17 } },
  input: { i16: { inputSize: 16 }, i7: { inputSize: 7 }, i66: { inputSize: 66 } },
  output: { o12: { outputSize: 12 }, o1: { outputSize: 1 }, o33: { outputSize: 33 } },
  dtype: { float32: {}, float16: { dtype: "float16" }, float64: { dtype: "float64" } },
  bias: { none: {}, bias: { bias: true } },
  layout: { plain: {}, gaps: { layout: "gaps" }, swapped: { layout: "swapped" } },
  weight: { whole: {}, transposed: { weight: "transposed" }, part: { weight: "part" } },
};

const isWide = (value: unknown): boolean => value === "float64";

/** Every synthetic case of a projection. */
export const projectionCases: readonly OperationCase[] = callCases({
  of: judgedProjection,
  build: buildProjection,
  isWide: ({ dtype }) => isWide(dtype),
  specs: [
    ...shapes.map(([name, spec]) => [`projection/shape-${name}`, spec] as const),
    ...pairedSpecs(
      factors,
      () => true,
      (value) => !isWide(value),
    ).map(([name, spec]) => [`projection/pairs-${name}`, spec] as const),
  ],
});
