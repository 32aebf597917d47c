import { type FloatDType, type RmsNormProblem, statisticsDType } from "@heed/core";
import { GraphBuilder } from "../model/builder.js";
import { encodeModel } from "../model/model.js";
import type { SessionModel } from "../runtime/sessions.js";

/** The version of ONNX's operators since when every one that is used has had its meaning. */
const opset = 18;

/** Everything that a graph of the normalisation depends on; the number of vectors is symbolic. */
export interface RmsNormSpec {
  /** Element type of inputs and output in the graph. */
  readonly stored: FloatDType;
  /** Element type of the arithmetic. */
  readonly compute: "float64" | "float32";
  readonly size: number;
}

/** @param stored the element type in which the graph reads the problem's */
export function rmsNormSpec({ dtype, size }: RmsNormProblem, stored: FloatDType): RmsNormSpec {
  return { stored, compute: statisticsDType(dtype), size };
}

/** The session of a graph: equal specs share one. */
export function rmsNormModel(spec: RmsNormSpec): SessionModel {
  return { key: `rmsNorm ${JSON.stringify(spec)}`, model: () => encodeModel(rmsNormGraph(spec)) };
}

/**
 * Root mean square normalisation from plain operators, in float32, or float64 for float64. Inputs: `input`
 * `[rows, size]`, `weight` `[size]`, `epsilon` `[]`. Output: `output` `[rows, size]`.
 *
 * The operator RMSNormalization of opset 23 is not used: its epsilon is part of the graph, and not every provider
 * has it.
 */
export function rmsNormGraph(spec: RmsNormSpec): ReturnType<GraphBuilder["build"]> {
  const g = new GraphBuilder(opset);
  const { stored, compute, size } = spec;
  const given = (name: string, dims: readonly (string | number)[]) =>
    g.cast(g.input(name, stored, dims), stored, compute);
  const x = given("input", ["rows", size]);
  const weight = given("weight", [size]);
  const epsilon = g.input("epsilon", compute, []);
  const mean = g.op("ReduceMean", [g.op("Mul", [x, x]), g.integers(1)], { keepdims: 1 });
  const root = g.op("Sqrt", [g.op("Add", [mean, epsilon])]);
  const normalised = g.op("Mul", [g.op("Div", [x, root]), weight]);
  g.output("output", g.cast(normalised, compute, stored), stored, ["rows", size]);
  return g.build();
}
