import { expect } from "vitest";
import { evaluateGraph } from "../src/attention/onnx/flex/graph.js";
import { SymbolicTensor } from "../src/attention/onnx/flex/symbolic-tensor.js";
import { variables } from "../src/program/expression.js";
import {
  bindProgram,
  type NumberExpression,
  programEvaluator,
  scoreMod,
  where,
} from "../src/program.js";
import { type Constants, graph, type Node } from "./flex-graph.js";

/** The score that graphs of these tests have as their only input. */
const score = new SymbolicTensor("float32", [], true, () => variables.score);
const { batch, head, queryIndex, keyIndex } = variables;
const indices = [batch, head, queryIndex, keyIndex] as readonly NumberExpression[];

/** A tensor of floats or, by default, of integers for a graph's constants. */
export const constantOf = (
  dims: readonly number[],
  values: readonly number[] = Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, n) => n),
  data_type = 7,
) => ({ data_type, dims, values });
export const floatsOf = (...values: number[]) => constantOf([values.length], values, 1);

/** The result of nodes that read `score` and constants, as a tensor of expressions. */
export function resultOf(nodes: readonly Node[], constants: Constants = {}): SymbolicTensor {
  return evaluateGraph("graph", graph("score", nodes, constants), { 1: [score] });
}

/**
 * The elements of a result, by the indices that a program has. Where they are known when the program is made, they are
 * asked to be the same.
 */
export function elementsOf(nodes: readonly Node[], constants: Constants = {}) {
  const result = resultOf(nodes, constants);
  const { type, shape } = result;
  if (result.size === 0) return { type, shape: [...shape], values: [] };
  const element = result.at(indices.slice(0, shape.length));
  const bound = bindProgram(
    scoreMod(type === "bool" ? where(element as never, 1, 0) : (element as never)),
  );
  const evaluate = programEvaluator(bound);
  const round = type === "float32" ? rounded : (x: number) => x + 0;
  const values = Array.from({ length: result.size }, (_, at) => {
    const place = placesOf(at, shape);
    const [batch = 0, head = 0, query = 0, key = 0] = place;
    const point = { batch, head, query, key, queryIndex: query, keyIndex: key, score: 0 };
    return round(evaluate(point));
  });
  const known = result.known(1000);
  if (known) expect(known.map(round), "indices that are known").toEqual(values);
  return { type, shape: [...shape], values };
}

/** To float32's digits, and without the sign of 0. */
export const rounded = (x: number): number =>
  Number.isFinite(x) ? Number(x.toPrecision(6)) + 0 : x;

function placesOf(at: number, shape: readonly number[]): number[] {
  const places: number[] = [];
  let rest = at;
  for (const size of [...shape].reverse()) {
    places.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return places;
}
