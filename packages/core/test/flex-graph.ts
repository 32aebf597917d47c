import type { OnnxGraphJson, OnnxTensorJson } from "../src/onnx.js";

export type Node = readonly [operator: string, inputs: string, output: string, attributes?: object];
export type Constants = Readonly<Record<string, number | Omit<OnnxTensorJson, "name">>>;

/** A graph whose output is its last node's; numbers are floats. */
export function graph(
  names: string,
  nodes: readonly Node[],
  constants: Constants = {},
): OnnxGraphJson {
  return {
    inputs: names.split(" ").map((name) => ({ name })),
    outputs: [{ name: nodes.at(-1)?.[2] ?? "none" }],
    initializers: Object.entries(constants).map(([name, value]) => ({
      name,
      ...(typeof value === "number" ? { data_type: 1, values: [value] } : value),
    })),
    nodes: nodes.map(([op_type, read, output, attributes = {}]) => ({
      op_type,
      inputs: read === "" ? [] : read.split(" ").map((name) => (name === "-" ? "" : name)),
      outputs: [output],
      attributes: attributes as Record<string, unknown>,
    })),
  };
}
export const ints = (...values: number[]): Omit<OnnxTensorJson, "name"> => ({
  data_type: 7,
  dims: [values.length],
  values,
});
export const int = (value: number) => ({ data_type: 7, values: [value] });
