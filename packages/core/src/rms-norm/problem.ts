import type { Problem } from "../operation/problem.js";
import type { FloatDType } from "../tensor/dtype.js";
import type { RmsNormInputs, RmsNormOutputs } from "./inputs.js";

/** The validated, canonical description of a call of root mean square normalisation. */
export interface RmsNormProblem extends Problem<RmsNormInputs, RmsNormOutputs> {
  readonly operation: "rmsNorm";
  /** Shape of input and output, of rank 1 to 4. */
  readonly shape: readonly number[];
  /** Vectors that are normalised. */
  readonly rows: number;
  /** Elements of a vector. */
  readonly size: number;
  readonly dtype: FloatDType;
}

/** A problem's cache key, from all of its fields. */
export function rmsNormKey({ dtype, shape }: Pick<RmsNormProblem, "dtype" | "shape">): string {
  return `${dtype} [${shape.join()}]`;
}
