// Small changes of an ONNX model's graph that change what it computes. Needs a build of @heed/backend-onnx.

import { ModelProtoSchema } from "../../packages/backend-onnx/dist/generated/onnx_pb.js";
import {
  fromBinary,
  toBinary,
} from "../../packages/backend-onnx/node_modules/@bufbuild/protobuf/dist/esm/index.js";

/**
 * @typedef {object} ModelMutant
 * @property {string} kind
 * @property {string} operator the node's operator
 * @property {number} ordinal which of the graph's nodes with that operator
 * @property {string} [replacement] for another operator, its name
 */

/** Operators in whose place another one can stand, with the same inputs and types. */
const others = {
  Less: "LessOrEqual",
  LessOrEqual: "Less",
  Greater: "GreaterOrEqual",
  GreaterOrEqual: "Greater",
  Add: "Sub",
  Sub: "Add",
  Mul: "Add",
  Div: "Mul",
  And: "Or",
  Or: "And",
  Max: "Min",
  Min: "Max",
  ReduceMax: "ReduceMin",
  ReduceMin: "ReduceMax",
  ReduceSum: "ReduceMax",
  Exp: "Abs",
  Tanh: "Abs",
};

/** Operators whose first input has the output's type, and mostly its shape: the node can be left out. */
const transparent = new Set(
  "Add Sub Mul Div Max Min And Or Not Tanh Exp Log Where Softmax Clip Floor Abs Neg".split(" "),
);

/** Every mutant that a graph has. */
export function modelMutants(bytes) {
  const { graph } = fromBinary(ModelProtoSchema, bytes);
  const seen = new Map();
  return graph.node.flatMap((node) => {
    const operator = node.opType;
    const ordinal = seen.get(operator) ?? 0;
    seen.set(operator, ordinal + 1);
    const mutants = [];
    const add = (kind, more = {}) => mutants.push({ kind, operator, ordinal, ...more });
    if (operator in others) add("other operator", { replacement: others[operator] });
    if (["Sub", "Div", "Less", "Greater", "Pow"].includes(operator)) add("inputs exchanged");
    if (operator === "Where") add("branches exchanged");
    if (transparent.has(operator)) add("node dropped");
    const initialisers = new Set(graph.initializer.map(({ name }) => name));
    if (node.input.some((name) => initialisers.has(name))) add("constant");
    return mutants;
  });
}

/**
 * A model with one mutant; the model itself where it lacks the node.
 *
 * @param {Uint8Array} bytes
 * @param {ModelMutant} mutant
 */
export function mutateModel(bytes, { kind, operator, ordinal, replacement }) {
  const model = fromBinary(ModelProtoSchema, bytes);
  const { graph } = model;
  const node = graph.node.filter(({ opType }) => opType === operator)[ordinal];
  if (node === undefined) return bytes;
  if (kind === "other operator") node.opType = replacement;
  if (kind === "inputs exchanged") node.input.splice(0, 2, node.input[1], node.input[0]);
  if (kind === "branches exchanged") node.input.splice(1, 2, node.input[2], node.input[1]);
  if (kind === "node dropped") dropNode(node);
  if (kind === "constant") changeConstant(graph, node);
  return toBinary(ModelProtoSchema, model);
}

/** Passes a node's first input, of Where its second, on in place of its output. */
function dropNode(node) {
  node.input = [node.input[node.opType === "Where" ? 1 : 0]];
  node.opType = "Identity";
  node.attribute = [];
}

/** Adds one to the first number of a constant that a node reads; other readers of it get it as it was. */
function changeConstant(graph, node) {
  const constants = new Map(graph.initializer.map((t) => [t.name, t]));
  const at = node.input.findIndex((name) => constants.has(name));
  const original = constants.get(node.input[at]);
  const changed = { ...original, name: `${original.name}, changed` };
  if (original.rawData?.length > 0) {
    changed.rawData = original.rawData.slice();
    // The lowest byte of an integer; of a float, one of the exponent and the highest of the fraction.
    const isFloat = [1, 10, 11].includes(original.dataType);
    const size = { 1: 4, 6: 4, 7: 8, 10: 2, 11: 8 }[original.dataType] ?? 1;
    changed.rawData[isFloat ? size - 1 : 0] ^= 1;
  } else {
    for (const field of ["floatData", "int32Data", "int64Data", "doubleData"]) {
      const data = original[field];
      if (data === undefined || data.length === 0) continue;
      changed[field] = [...data];
      changed[field][0] += typeof data[0] === "bigint" ? 1n : 1;
    }
  }
  graph.initializer.push(changed);
  node.input[at] = changed.name;
}
