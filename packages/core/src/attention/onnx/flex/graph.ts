import { shorten } from "../../../describe-value.js";
import { describeValue, InvalidInputError } from "../../../errors.js";
import { isInt32, isList, reading } from "../../../options.js";
import { constant } from "../../../program/expression.js";
import * as p from "../../../program/functions.js";
import { type ProgramType, programLimits } from "../../../program/types.js";
import { typedArrayName } from "../../../tensor/typed-array.js";
import { elementwise, elementwiseTensor } from "./elementwise.js";
import type { OnnxGraphJson, OnnxNodeJson, OnnxTensorJson } from "./json.js";
import { movement } from "./movement.js";
import { GraphNode } from "./node.js";
import {
  constantTensor,
  type Elements,
  numberTensor,
  SymbolicTensor,
  sizeOf,
} from "./symbolic-tensor.js";

/** Types of a program's values, by ONNX's element types. */
const types: Readonly<Record<number, ProgramType>> = {
  1: "float32",
  2: "int32",
  3: "int32",
  4: "int32",
  5: "int32",
  6: "int32",
  7: "int32",
  9: "bool",
  10: "float32",
  11: "float32",
  16: "float32",
};

function typeOf(argument: string, element: unknown): ProgramType {
  const type = typeof element === "number" ? types[element] : undefined;
  if (type) return type;
  const expected = "an element type of floats, of integers of at most 64 bits or of bool";
  throw new InvalidInputError(argument, expected, describeValue(element));
}

/**
 * The value of a graph's only output, given values for its inputs.
 *
 * @param argument names the graph in errors
 * @param inputs by the graph's number of inputs
 * @throws InvalidInputError naming the member, or the node with its operator
 */
export function evaluateGraph(
  argument: string,
  graph: unknown,
  inputs: Readonly<Record<number, readonly SymbolicTensor[]>>,
): SymbolicTensor {
  if (typeof graph !== "object" || graph === null) {
    throw new InvalidInputError(argument, "a graph as JSON", describeValue(graph));
  }
  return reading(argument, () => evaluate(argument, graph as Partial<OnnxGraphJson>, inputs));
}

function evaluate(
  argument: string,
  graph: Partial<OnnxGraphJson>,
  inputs: Readonly<Record<number, readonly SymbolicTensor[]>>,
): SymbolicTensor {
  const given = list(`${argument}.inputs`, graph.inputs);
  const values = inputs[given.length];
  if (values === undefined) {
    const expected = `${Object.keys(inputs).join(" or ")} inputs`;
    throw new InvalidInputError(`${argument}.inputs`, expected, `${given.length}`);
  }
  const named = new Map<string, SymbolicTensor>();
  for (const [n, value] of values.entries()) {
    named.set(nameOf(`${argument}.inputs[${n}].name`, given[n]), value);
  }
  for (const [n, json] of list(`${argument}.initializers`, graph.initializers ?? []).entries()) {
    const member = `${argument}.initializers[${n}]`;
    named.set(nameOf(`${member}.name`, json), readTensor(member, json));
  }
  const nodes = list(`${argument}.nodes`, graph.nodes);
  for (const [n, json] of nodes.entries()) addNode(`${argument}.nodes[${n}]`, json, named);
  const outputs = list(`${argument}.outputs`, graph.outputs);
  if (outputs.length !== 1) {
    throw new InvalidInputError(`${argument}.outputs`, "one output", `${outputs.length}`);
  }
  const name = nameOf(`${argument}.outputs[0].name`, outputs[0]);
  const result = named.get(name);
  if (result) return result;
  throw new InvalidInputError(
    `${argument}.outputs[0].name`,
    "a value of the graph",
    describeValue(name),
  );
}

/** Axes of a tensor, and inputs or outputs of a node. */
const [mostAxes, mostOperands] = [16, 64];

/** An array of the caller's, which is refused before it is read if it is long. */
function list(
  argument: string,
  value: unknown,
  most: number = programLimits.nodes,
): readonly unknown[] {
  if (!isList(value)) throw new InvalidInputError(argument, "an array", describeValue(value));
  if (value.length <= most) return Array.from(value);
  throw new InvalidInputError(argument, `at most ${most} elements`, `${value.length}`);
}

function nameOf(argument: string, value: unknown): string {
  const name = typeof value === "object" && value !== null && (value as { name?: unknown }).name;
  if (typeof name === "string") return name;
  throw new InvalidInputError(argument, "a name", describeValue(name === false ? value : name));
}

function addNode(member: string, json: unknown, named: Map<string, SymbolicTensor>): void {
  if (typeof json !== "object" || json === null) {
    throw new InvalidInputError(member, "a node", describeValue(json));
  }
  const { op_type: operator, domain, attributes, ...rest } = json as OnnxNodeJson;
  const argument = `${member} (${typeof operator === "string" ? shorten(operator, 40) : "?"})`;
  if (domain !== undefined && domain !== "" && domain !== "ai.onnx") {
    throw new InvalidInputError(
      argument,
      "an operator of ONNX's own domain",
      describeValue(domain),
    );
  }
  const inputs = list(`${member}.inputs`, rest.inputs, mostOperands).map((name) => {
    if (name === "") return null;
    const value = typeof name === "string" ? named.get(name) : undefined;
    if (value) return value;
    throw new InvalidInputError(argument, "inputs that are made before it", describeValue(name));
  });
  const node = new GraphNode(argument, operator, inputs, { ...attributes });
  const outputs = list(`${member}.outputs`, rest.outputs, mostOperands);
  if (outputs.length !== 1 || typeof outputs[0] !== "string") {
    throw new InvalidInputError(argument, "one output", describeValue(outputs));
  }
  named.set(outputs[0], tensorOf(node));
}

function tensorOf(node: GraphNode): SymbolicTensor {
  const { operator } = node;
  if (Object.hasOwn(elementwise, operator)) {
    return elementwiseTensor(node, elementwise[operator] as (typeof elementwise)[string]);
  }
  if (Object.hasOwn(movement, operator))
    return (movement[operator] as (typeof movement)[string])(node);
  if (operator === "Constant") return constantNode(node);
  if (operator === "ConstantOfShape") return constantOfShape(node);
  if (operator === "Cast") return cast(node);
  const known = [
    ...Object.keys(elementwise),
    ...Object.keys(movement),
    "Cast",
    "Constant",
    "ConstantOfShape",
  ];
  throw node.wrong(`one of the operators ${known.sort().join(", ")}`, describeValue(operator));
}

function cast(node: GraphNode): SymbolicTensor {
  const [input] = node.inputs(1) as readonly [SymbolicTensor];
  const to = typeOf(`${node.argument}: to`, node.integer("to", 0));
  return new SymbolicTensor(to, input.shape, input.hasScores, (indices) =>
    p.astype(input.at(indices) as never, to),
  );
}

function constantNode(node: GraphNode): SymbolicTensor {
  const value = node.attribute("value");
  if (value !== undefined) return readTensor(node.argument, value);
  const simple = { value_float: 1, value_int: 7, value_floats: 1, value_ints: 7 };
  for (const [name, dataType] of Object.entries(simple)) {
    const given = node.attribute(name);
    if (given === undefined) continue;
    const values = isList(given) ? given : [given];
    const dims = isList(given) ? [values.length] : [];
    return readTensor(node.argument, { data_type: dataType, dims, values });
  }
  throw node.wrong("value, value_float, value_int, value_floats or value_ints", "none of them");
}

function constantOfShape(node: GraphNode): SymbolicTensor {
  const shape = node.integers(0);
  if (shape === null) throw node.wrong("a shape as input 0", "none");
  const value = node.attribute("value");
  const one = value === undefined ? numberTensor("float32", 0) : readTensor(node.argument, value);
  if (one.size !== 1) throw node.wrong("one element as value", `${one.size}`);
  const [element] = one.known() as readonly [number];
  return new SymbolicTensor(one.type, shape, false, () => constant(one.type, element));
}

const words: Readonly<Record<string, number>> = {
  Infinity: Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY,
  NaN: Number.NaN,
};

/** A tensor in JSON. @throws InvalidInputError */
function readTensor(argument: string, json: unknown): SymbolicTensor {
  if (typeof json !== "object" || json === null) {
    throw new InvalidInputError(argument, "a tensor", describeValue(json));
  }
  const { data_type, dims = [], values } = json as Partial<OnnxTensorJson>;
  const type = typeOf(`${argument}.data_type`, data_type);
  const shape = list(`${argument}.dims`, dims, mostAxes).map((size) => {
    if (isInt32(size) && size >= 0) return size;
    throw new InvalidInputError(`${argument}.dims`, "sizes", describeValue(size));
  });
  const name = typedArrayName(values);
  if (name === undefined && !isList(values)) {
    throw new InvalidInputError(
      `${argument}.values`,
      "an array of elements",
      describeValue(values),
    );
  }
  const given = values as ArrayLike<unknown>;
  if (given.length !== sizeOf(shape) || given.length === 0) {
    const expected = `${sizeOf(shape)} elements, of shape [${shape.join(", ")}] without a size of 0`;
    throw new InvalidInputError(`${argument}.values`, expected, `${given.length}`);
  }
  return constantTensor(type, shape, elements(`${argument}.values`, type, given, name));
}

function elements(
  argument: string,
  type: ProgramType,
  values: ArrayLike<unknown>,
  name: string | undefined,
): Elements {
  const own = { int32: "Int32Array", float32: "Float32Array", bool: "Uint8Array" }[type];
  if (name === own) return values as Elements;
  const numbers = Array.from(values, (value) => numberOf(argument, type, value));
  if (type === "int32") return Int32Array.from(numbers);
  return type === "bool" ? Uint8Array.from(numbers) : Float32Array.from(numbers);
}

function numberOf(argument: string, type: ProgramType, value: unknown): number {
  const number = typeof value === "bigint" || typeof value === "boolean" ? Number(value) : value;
  if (type === "float32") {
    if (typeof number === "number") return number;
    if (typeof number === "string" && Object.hasOwn(words, number)) return words[number] as number;
    throw new InvalidInputError(argument, "numbers", describeValue(value));
  }
  if (type === "int32" && typeof number === "number") {
    // The ends of int64 stand for "as far as there is anything", as in Slice.
    if (number >= 2 ** 63 - 1) return 2 ** 31 - 1;
    if (number <= -(2 ** 63)) return -(2 ** 31);
  }
  const fits = type === "int32" ? isInt32(number) : number === 0 || number === 1;
  if (fits) return number as number;
  const expected =
    type === "int32" ? "32-bit integers: programs have no longer ones" : "bools, or 0 and 1";
  throw new InvalidInputError(argument, expected, describeValue(value));
}
