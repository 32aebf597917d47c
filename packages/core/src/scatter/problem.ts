import { knownOperands } from "../operation/known-operands.js";
import type { OperandSpec } from "../operation/operation.js";
import type { Problem } from "../operation/problem.js";
import type { FloatDType } from "../tensor/dtype.js";
import type { ScatterInputs, ScatterOutputs } from "./inputs.js";

/**
 * The validated, canonical description of a call of scatter. Slots are data: a decode loop keeps its
 * plan.
 */
export interface ScatterProblem extends Problem<ScatterInputs, ScatterOutputs> {
  readonly operation: "scatter";
  /** Batch entries of the source. */
  readonly batch: number;
  readonly heads: number;
  /** Rows of the source, n. */
  readonly count: number;
  readonly headDim: number;
  /** Batch entries of a static target, or pages. */
  readonly entries: number;
  /** Rows of an entry or page of the target. */
  readonly rows: number;
  readonly paged: boolean;
  readonly sourceDType: FloatDType;
  /** Element type of the target; int8 comes with scales. */
  readonly targetDType: FloatDType | "int8";
}

/** A problem's cache key, from all of its fields. */
export function scatterKey(p: Omit<ScatterProblem, "operation" | "key" | "types">): string {
  return [
    `${p.sourceDType}>${p.targetDType}`,
    `b${p.batch}`,
    `h${p.heads}`,
    `n${p.count}`,
    `d${p.headDim}`,
    `${p.paged ? "pages" : "entries"}:${p.entries}x${p.rows}`,
  ].join(" ");
}

/** Every tensor of a call: the target and its scales, which are written in place, then the source. */
export const scatterOperands: (problem: ScatterProblem) => readonly OperandSpec[] =
  knownOperands(makeOperands);

function makeOperands(p: ScatterProblem): readonly OperandSpec[] {
  const places = [p.entries, p.heads, p.rows];
  return [
    { name: "target", shape: [...places, p.headDim], dtype: p.targetDType, access: "update" },
    ...(p.targetDType === "int8"
      ? ([{ name: "scales", shape: places, dtype: "float32", access: "update" }] as const)
      : []),
    {
      name: "source",
      shape: [p.batch, p.heads, p.count, p.headDim],
      dtype: p.sourceDType,
      access: "read",
    },
  ];
}
