import type { AttentionProblem, DType } from "@heed/core";

export type OutputName = "output" | "logSumExp" | "weights" | "scores";

/** An output tensor of a problem: row-major, without gaps. */
export interface OutputSpec {
  readonly name: OutputName;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** The outputs that a problem returns. */
export function outputsOf(p: AttentionProblem): OutputSpec[] {
  const rows = [p.batch, p.queryHeads, p.queryLength];
  const all: [OutputName, boolean, DType, number[]][] = [
    ["output", true, p.dtype, [...rows, p.valueDim]],
    ["logSumExp", p.returns.logSumExp, "float32", rows],
    ["weights", p.returns.weights, p.dtype, [...rows, p.keyLength]],
    ["scores", p.returns.scores !== null, p.dtype, [...rows, p.keyLength]],
  ];
  return all
    .filter(([, returned]) => returned)
    .map(([name, , dtype, shape]) => ({ name, dtype, shape }));
}
