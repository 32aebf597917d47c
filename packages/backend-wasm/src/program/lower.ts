import type { AttentionProblem } from "@heed/core";
import {
  dependencesOf,
  type OperationName,
  type ProgramForm,
  type ProgramNode,
  type ProgramType,
} from "@heed/core/program";
import * as P from "../shared/program.js";
import type { InstructionData, ProgramName, Values } from "./values.js";

/** Adds a program's values. Returns its result. */
export function lowerForm(values: Values, form: ProgramForm): number {
  const program: ProgramName = form.kind === "mask" ? "maskMod" : "scoreMod";
  const dependences = dependencesOf(form);
  const lowered: number[] = [];
  for (const [n, node] of form.nodes.entries()) {
    lowered.push(
      dependences[n] === 0
        ? values.node(program, n, node.type)
        : lowerNode(values, program, form, node, lowered),
    );
  }
  return lowered[lowered.length - 1] as number;
}

/** Adds the values of a block mask: the element of the block that a query and a key are in. */
export function lowerBlocks(
  values: Values,
  { shape, queryBlock, keyBlock }: NonNullable<AttentionProblem["blockMask"]>,
): number {
  const indices = [
    values.variable("batch"),
    values.variable("head"),
    blockOf(values, values.variable("queryIndex"), queryBlock),
    blockOf(values, values.variable("keyIndex"), keyBlock),
  ];
  const axes = shape.map((size, axis) => ({
    last: size - 1,
    stride: shape.slice(axis + 1).reduce((product, other) => product * other, 1),
  }));
  return values.lookUp("blocks", true, indices, axes);
}

function blockOf(values: Values, index: number, size: number): number {
  const shift = powerOf(size);
  if (shift !== null) return values.instruction(P.codeShift, [index, values.bits(shift)]);
  return values.instruction(P.codeFloorDivide, [index, values.bits(size)]);
}

function lowerNode(
  values: Values,
  program: ProgramName,
  { nodes, tables }: ProgramForm,
  node: ProgramNode,
  lowered: readonly number[],
): number {
  const args = node.args.map((arg) => lowered[arg] as number);
  switch (node.op) {
    case "constant":
    case "scalar":
      throw new Error("constants have been lowered");
    case "variable":
      return values.variable(node.name);
    case "table": {
      const table = { program, slot: node.slot };
      const axes = args.map((_, axis): InstructionData => ({ axisOf: table, axis }));
      return values.lookUp(table, tables[node.slot]?.dtype === "bool", args, axes);
    }
    case "where":
      return values.instruction(P.codeWhere, args);
    case "astype": {
      const from = (nodes[node.args[0] as number] as ProgramNode).type;
      return lowerConversion(values, args[0] as number, from, node.type);
    }
    default: {
      const operands = node.args.map((arg) => nodes[arg] as ProgramNode);
      const { type } = operands[0] as ProgramNode;
      return lowerOperation(values, node.op, type, args, operands[1]);
    }
  }
}

/** A bool is 0 or −1. */
function lowerConversion(values: Values, a: number, from: ProgramType, to: ProgramType): number {
  if (from === to) return a;
  if (from === "bool") {
    if (to === "int32") return values.instruction(P.codeNegative, [a]);
    return values.instruction(P.codeAnd, [a, values.bits(floatBits(1))]);
  }
  if (to === "bool") {
    const code = from === "int32" ? P.codeNotEqual : P.codeFloatNotEqual;
    return values.instruction(code, [a, values.bits(0)]);
  }
  return values.instruction(to === "float32" ? P.codeToFloat : P.codeToInt, [a]);
}

function lowerOperation(
  values: Values,
  name: OperationName,
  type: ProgramType,
  args: readonly number[],
  second: ProgramNode | undefined,
): number {
  if (name === "greater" || name === "greaterEqual") {
    const mirrored = name === "greater" ? "less" : "lessEqual";
    return lowerOperation(values, mirrored, type, [args[1] as number, args[0] as number], second);
  }
  const divisor = second?.op === "constant" ? second.value : 0;
  const [a = 0] = args;
  if (type === "int32") {
    const shift = powerOf(divisor);
    // Both are rounded towards −∞, as a shift is.
    if (name === "floorDivide" && shift !== null) {
      return values.instruction(P.codeShift, [a, values.bits(shift)]);
    }
    if (name === "remainder" && shift !== null) {
      return values.instruction(P.codeAnd, [a, values.bits(divisor - 1)]);
    }
    if (name === "floor") return a;
  }
  // A power of two has an exact inverse.
  if (name === "divide" && isExactlyInverted(divisor)) {
    return values.instruction(P.codeFloatMultiply, [a, values.bits(floatBits(1 / divisor))]);
  }
  const code = (type === "float32" ? floatCodes : integerCodes)[name];
  if (code === undefined) throw new Error(`no instruction for ${name} of ${type}`);
  return values.instruction(code, args);
}

/** n of a number 2^n from 1 to 2^30; null for any other. */
function powerOf(value: number): number | null {
  const power = Math.log2(value);
  return Number.isInteger(power) && power >= 0 && power <= 30 ? power : null;
}

function isExactlyInverted(value: number): boolean {
  const power = Math.log2(Math.abs(value));
  return Number.isInteger(power) && Math.abs(power) <= 64;
}

const words = new DataView(new ArrayBuffer(4));

/** The bits of a float32. */
export function floatBits(value: number): number {
  words.setFloat32(0, value);
  return words.getInt32(0);
}

const integerCodes: Partial<Record<OperationName, number>> = {
  add: P.codeAdd,
  subtract: P.codeSubtract,
  multiply: P.codeMultiply,
  floorDivide: P.codeFloorDivide,
  remainder: P.codeRemainder,
  minimum: P.codeMinimum,
  maximum: P.codeMaximum,
  negative: P.codeNegative,
  abs: P.codeAbs,
  equal: P.codeEqual,
  notEqual: P.codeNotEqual,
  less: P.codeLess,
  lessEqual: P.codeLessEqual,
  and: P.codeAnd,
  or: P.codeOr,
  not: P.codeNot,
};

const floatCodes: Partial<Record<OperationName, number>> = {
  add: P.codeFloatAdd,
  subtract: P.codeFloatSubtract,
  multiply: P.codeFloatMultiply,
  divide: P.codeFloatDivide,
  floorDivide: P.codeFloatFloorDivide,
  remainder: P.codeFloatRemainder,
  minimum: P.codeFloatMinimum,
  maximum: P.codeFloatMaximum,
  negative: P.codeFloatNegative,
  abs: P.codeFloatAbs,
  equal: P.codeFloatEqual,
  notEqual: P.codeFloatNotEqual,
  less: P.codeFloatLess,
  lessEqual: P.codeFloatLessEqual,
  floor: P.codeFloor,
  sqrt: P.codeSqrt,
  exp: P.codeExp,
  log: P.codeLog,
  tanh: P.codeTanh,
};
