import { pairedSpecs, type SpecFactors } from "../../calls/pairs.js";
import type { OperationCase } from "../../run/case.js";
import { callCases } from "../../run/check-call.js";
import { buildRmsNorm } from "./build.js";
import { judgedRmsNorm } from "./judge.js";
import type { RmsNormSpec } from "./spec.js";

type Named = readonly [name: string, spec: RmsNormSpec];

const shapes: readonly Named[] = [
  ["one", { shape: [1] }],
  ["decode", { shape: [1, 32, 1, 64], epsilon: 1e-5 }],
  ["heads", { shape: [2, 3, 17, 59], epsilon: 1e-5 }],
  ["hidden", { shape: [3, 2, 2049] }],
  ["many", { shape: [1025, 5] }],
  ["small", { shape: [5, 80], values: "small", epsilon: 1e-5 }],
  ["large", { shape: [5, 80], values: "large" }],
  ["zeros", { shape: [3, 16], values: "zeros" }],
  ["nan", { shape: [2, 3, 16], values: "nan" }],
  ["epsilon-large", { shape: [2, 7], epsilon: 2 }],
  ["empty-rows", { shape: [2, 0, 8] }],
  ["empty-vectors", { shape: [3, 0] }],
];

const factors: SpecFactors<RmsNormSpec> = {
  shape: {
    vector: { shape: [33] },
    matrix: { shape: [5, 66] },
    rows: { shape: [2, 7, 16] },
    heads: { shape: [2, 3, 4, 15] },
  },
  dtype: { float32: {}, float16: { dtype: "float16" }, float64: { dtype: "float64" } },
  epsilon: { usual: {}, onnx: { epsilon: 1e-5 }, tenth: { epsilon: 0.1 } },
  layout: { plain: {}, gaps: { layout: "gaps" }, swapped: { layout: "swapped" } },
  weight: { whole: {}, part: { weight: "part" } },
  values: { normal: {}, small: { values: "small" }, large: { values: "large" } },
};

const isWide = (value: unknown): boolean => value === "float64";

/** Every synthetic case of root mean square normalisation. */
export const rmsNormCases: readonly OperationCase[] = callCases({
  of: judgedRmsNorm,
  build: buildRmsNorm,
  isWide: ({ dtype }) => isWide(dtype),
  specs: [
    ...shapes.map(([name, spec]) => [`rmsNorm/shape-${name}`, spec] as const),
    ...pairedSpecs(
      factors,
      () => true,
      (value) => !isWide(value),
    ).map(([name, spec]) => [`rmsNorm/pairs-${name}`, spec] as const),
  ],
});
