import { reading } from "../options.js";
import { applyOperation } from "./arithmetic.js";
import type { BoundProgram } from "./bound.js";
import { dependencesOf } from "./dependences.js";
import type { ProgramNode } from "./form.js";
import type { TableData } from "./sources.js";
import type { VariableName } from "./types.js";

/** Values of a program's variables. */
export type ProgramPoint = Readonly<Record<Exclude<VariableName, "score">, number>> & {
  readonly score?: number;
};

/**
 * A program as a function of its variables, in float64, one node after another: the definition of what a
 * program means, by which backends are judged. A bool is 0 or 1.
 */
export function programEvaluator(bound: BoundProgram): (point: ProgramPoint) => number {
  const values = reading("bound", () => new Float64Array(bound.form.nodes.length));
  const { nodes } = bound.form;
  return (point) => {
    for (let n = 0; n < nodes.length; n++) {
      values[n] = evaluateNode(nodes[n] as ProgramNode, values, bound, point);
    }
    return values[nodes.length - 1] as number;
  };
}

function evaluateNode(
  node: ProgramNode,
  values: Float64Array,
  { form, tables, scalars }: BoundProgram,
  point: ProgramPoint,
): number {
  switch (node.op) {
    case "constant":
      return node.value;
    case "variable":
      return node.name === "score" ? (point.score ?? 0) : point[node.name] | 0;
    case "scalar":
      return scalars[node.slot] as number;
    case "table":
      return lookUp(tables[node.slot] as TableData, node.args, values);
  }
  const [a = 0, b = 0, c = 0] = node.args;
  // `where` computes with what it chooses from, not with its condition.
  const { type } = form.nodes[node.op === "where" ? b : a] as ProgramNode;
  const [x, y, z] = [values[a] as number, values[b] as number, values[c] as number];
  return applyOperation(node.op, type, node.type, x, y, z);
}

/** A table's element at indices that are the values of some nodes; each is clamped to its axis. */
export function lookUp(
  { dtype, shape, data }: TableData,
  args: readonly number[],
  values: ArrayLike<number>,
): number {
  let at = 0;
  for (let axis = 0; axis < shape.length; axis++) {
    const size = shape[axis] as number;
    const index = values[args[axis] as number] as number;
    at = at * size + Math.max(0, Math.min(size - 1, index));
  }
  const value = data[at] as number;
  return dtype === "bool" && value !== 0 ? 1 : value;
}

/**
 * Values of a program's nodes that depend on nothing but its constants, scalars and tables, as `dependencesOf` says:
 * backends compute them once a call. Those of all other nodes are 0.
 */
export function constantValues(bound: BoundProgram): Float64Array {
  return reading("bound", () => {
    const { nodes } = bound.form;
    const dependences = dependencesOf(bound.form);
    const values = new Float64Array(nodes.length);
    for (const [n, node] of nodes.entries()) {
      if (dependences[n] === 0) values[n] = evaluateNode(node, values, bound, nowhere);
    }
    return values;
  });
}

/** No variable of it is read. */
const nowhere: ProgramPoint = { batch: 0, head: 0, query: 0, key: 0, queryIndex: 0, keyIndex: 0 };
