import type { Problem } from "../operation/problem.js";
import type { FloatDType } from "../tensor/dtype.js";
import type { ProjectionInputs, ProjectionOutputs } from "./inputs.js";

/** The validated, canonical description of a call of a projection. */
export interface ProjectionProblem extends Problem<ProjectionInputs, ProjectionOutputs> {
  readonly operation: "projection";
  readonly batch: number;
  readonly length: number;
  /** Elements of an input row. */
  readonly inputSize: number;
  /** Elements of an output row. */
  readonly outputSize: number;
  readonly dtype: FloatDType;
  readonly hasBias: boolean;
}

/** A problem's cache key, from all of its fields. */
export function projectionKey(p: Omit<ProjectionProblem, "operation" | "key" | "types">): string {
  return [
    p.dtype,
    `b${p.batch}`,
    `l${p.length}`,
    `${p.inputSize}>${p.outputSize}`,
    p.hasBias ? "bias" : "no-bias",
  ].join(" ");
}
