import type { ProgramForm, ProgramNode, VariableName } from "@heed/core/program";
import type { GraphBuilder, Value } from "../../model/builder.js";
import { type Operand, ProgramArithmetic } from "./program-arithmetic.js";
import { type Arithmetic, type GraphSpec, headDims } from "./spec.js";

/** The inputs of a graph for the variables of its programs; see `variable-feeds.ts`. */
const variableInputs = {
  batch: { name: "programBatch", dims: ["batch", 1, 1, 1] },
  query: { name: "programQuery", dims: ["programQueries", 1, "queryLength", 1] },
  queryIndex: { name: "programQueryIndex", dims: ["programQueryIndices", 1, "queryLength", 1] },
  key: { name: "programKey", dims: ["programKeys", 1, 1, "keyLength"] },
  keyIndex: { name: "programKeyIndex", dims: ["programKeyIndices", 1, 1, "keyLength"] },
} as const;

/** Facts that the nodes of a program depend on beside its form. */
export interface ProgramContext {
  readonly spec: GraphSpec;
  readonly arithmetic: Arithmetic;
  readonly compute: "float64" | "float32";
  /** Logits `[batch, queryHeads, queryLength, keyLength]`; null in a mask program. */
  readonly score: Value | null;
}

/** Names of a program's inputs: those of its tables and scalars begin with its kind. */
export const tableInput = (form: ProgramForm, slot: number): string => `${form.kind}Table${slot}`;
export const scalarInput = (form: ProgramForm, slot: number): string => `${form.kind}Scalar${slot}`;

/**
 * A program as nodes of a graph. Each node keeps the axes that it depends on, so that what depends on queries
 * alone has one column, and broadcasting does the rest.
 *
 * Inputs of the model: those of its variables; a scalar `[1, 1, 1, 1]`; a table `[elements]` with the last
 * index `…Last0`, `…Last1` of each axis and the stride `…Stride0` of all axes but the last.
 *
 * @returns rank 4, broadcasting to the logits
 */
export function programNodes(g: GraphBuilder, form: ProgramForm, context: ProgramContext): Value {
  const arithmetic = new ProgramArithmetic(g, context.arithmetic, context.compute);
  const values: Value[] = [];
  for (const node of form.nodes) values.push(nodeValue(g, form, node, values, arithmetic, context));
  return values.at(-1) as Value;
}

function nodeValue(
  g: GraphBuilder,
  form: ProgramForm,
  node: ProgramNode,
  values: readonly Value[],
  arithmetic: ProgramArithmetic,
  context: ProgramContext,
): Value {
  switch (node.op) {
    case "constant":
      return arithmetic.constant(node.type, node.value);
    case "variable":
      return variable(g, node.name, context);
    case "scalar":
      return g.input(scalarInput(form, node.slot), arithmetic.dtype(node.type), [1, 1, 1, 1]);
    case "table": {
      const indices = node.args.map((arg) => values[arg] as Value);
      return lookUp(g, form, node.slot, indices, arithmetic, context);
    }
  }
  const operands = node.args.map((arg): Operand => {
    const of = form.nodes[arg] as ProgramNode;
    return { value: values[arg] as Value, constant: of.op === "constant" ? of.value : undefined };
  });
  // `where` computes with what it chooses from, not with its condition.
  const { type } = form.nodes[node.args[node.op === "where" ? 1 : 0] as number] as ProgramNode;
  return arithmetic.apply(node.op, type, node.type, operands);
}

function variable(g: GraphBuilder, name: VariableName, { spec, score }: ProgramContext): Value {
  if (name === "score") return score as Value;
  if (name === "head" && spec.ownHeads) {
    return g.has("programHead") ? "programHead" : g.input("programHead", "int32", headDims(spec));
  }
  if (name === "head") {
    const heads = Array.from({ length: spec.queryHeads }, (_, head) => head);
    return g.constant("int32", [1, heads.length, 1, 1], heads);
  }
  const { name: input, dims } = variableInputs[name];
  return g.has(input) ? input : g.input(input, "int32", dims);
}

/** Elements of a table, at indices that are put within its axes. */
function lookUp(
  g: GraphBuilder,
  form: ProgramForm,
  slot: number,
  indices: readonly Value[],
  arithmetic: ProgramArithmetic,
  { arithmetic: { and: movesBools }, compute }: ProgramContext,
): Value {
  const name = tableInput(form, slot);
  const { dtype } = form.tables[slot] as { readonly dtype: "int32" | "float32" | "bool" };
  const once = (input: string): Value =>
    g.has(input) ? input : g.input(input, "int32", [1, 1, 1, 1]);
  const zero = arithmetic.constant("int32", 0);
  let place: Value | null = null;
  for (const [axis, index] of indices.entries()) {
    const within = g.op("Min", [g.op("Max", [index, zero]), once(`${name}Last${axis}`)]);
    const last = axis === indices.length - 1;
    const part = last ? within : g.op("Mul", [within, once(`${name}Stride${axis}`)]);
    place = place === null ? part : g.op("Add", [place, part]);
  }
  // The provider that has no reliable And moves no bool either.
  const stored = dtype === "bool" && !movesBools ? "int32" : dtype;
  const data = g.has(name) ? name : g.input(name, stored, [`${name}Elements`]);
  const found = g.op("Gather", [data, place as Value], { axis: 0 });
  if (dtype === "bool") return stored === "bool" ? found : arithmetic.isTrue(found);
  return dtype === "float32" ? g.cast(found, "float32", compute) : found;
}
