import { type FloatDType, type ProjectionProblem, statisticsDType } from "@heed/core";
import { GraphBuilder } from "../model/builder.js";
import { encodeModel } from "../model/model.js";
import type { SessionModel } from "../runtime/sessions.js";

/** The version of ONNX's operators since when every one that is used has had its meaning. */
const opset = 18;

/** Everything that a graph of a projection depends on; the number of rows is symbolic. */
export interface ProjectionSpec {
  /** Element type of inputs and output in the graph. */
  readonly stored: FloatDType;
  /** Element type of the arithmetic. */
  readonly compute: "float64" | "float32";
  readonly inputSize: number;
  readonly outputSize: number;
  readonly hasBias: boolean;
}

/** @param stored the element type in which the graph reads the problem's */
export function projectionSpec(
  { dtype, inputSize, outputSize, hasBias }: ProjectionProblem,
  stored: FloatDType,
): ProjectionSpec {
  return { stored, compute: statisticsDType(dtype), inputSize, outputSize, hasBias };
}

/** The session of a graph: equal specs share one. */
export function projectionModel(spec: ProjectionSpec): SessionModel {
  return {
    key: `projection ${JSON.stringify(spec)}`,
    model: () => encodeModel(projectionGraph(spec)),
  };
}

/**
 * A projection as the operator Gemm, in float32, or float64 for float64: kernels of float16 sum in
 * float16. Inputs: `input` `[rows, in]`, `weight` `[out, in]`, `bias` `[out]`. Output: `output` `[rows, out]`.
 */
export function projectionGraph(spec: ProjectionSpec): ReturnType<GraphBuilder["build"]> {
  const g = new GraphBuilder(opset);
  const { stored, compute, inputSize, outputSize, hasBias } = spec;
  const given = (name: string, dims: readonly (string | number)[]) =>
    g.cast(g.input(name, stored, dims), stored, compute);
  const operands = [
    given("input", ["rows", inputSize]),
    given("weight", [outputSize, inputSize]),
    ...(hasBias ? [given("bias", [outputSize])] : []),
  ];
  const product = g.op("Gemm", operands, { transB: 1 });
  g.output("output", g.cast(product, compute, stored), stored, ["rows", outputSize]);
  return g.build();
}
