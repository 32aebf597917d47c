import type { Problem } from "../operation/problem.js";
import type { FloatDType } from "../tensor/dtype.js";
import type { RotaryInputs, RotaryOutputs } from "./inputs.js";

/**
 * The validated, canonical description of a call of rotary position embedding. Positions are data:
 * a decode loop keeps its plan.
 */
export interface RotaryProblem extends Problem<RotaryInputs, RotaryOutputs> {
  readonly operation: "rotary";
  readonly batch: number;
  readonly heads: number;
  readonly length: number;
  readonly headDim: number;
  /** Even, from 2 to headDim. */
  readonly rotaryDim: number;
  readonly interleaved: boolean;
  /** Element type of input and output. */
  readonly dtype: FloatDType;
  /** Element type of cosines and sines. */
  readonly tableDType: FloatDType;
  /** Rows of the tables of cosines and sines that a bound call holds. */
  readonly tableRows: number;
}

/** A problem's cache key, from all of its fields. */
export function rotaryKey(p: Omit<RotaryProblem, "operation" | "key" | "types">): string {
  return [
    p.dtype,
    `b${p.batch}`,
    `h${p.heads}`,
    `l${p.length}`,
    `d${p.rotaryDim}/${p.headDim}`,
    p.interleaved ? "interleaved" : "halves",
    `table:${p.tableDType}[${p.tableRows}]`,
  ].join(" ");
}
