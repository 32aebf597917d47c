import { constant, constantValue, type Expression } from "../../../program/expression.js";
import type { BoolExpression, NumberExpression } from "../../../program/functions.js";
import * as p from "../../../program/functions.js";
import type { ProgramType } from "../../../program/types.js";
import type { GraphNode } from "./node.js";
import { type Index, numberTensor, SymbolicTensor, sizeOf } from "./symbolic-tensor.js";

type Numbers = readonly NumberExpression[];

/** An operator on one element of each of its inputs, which broadcast. */
export interface Elementwise {
  readonly least: number;
  readonly most?: number;
  /** Types of its inputs: numbers, bools, or the first a bool and the others alike. */
  readonly takes: "numbers" | "floats" | "bools" | "choice" | "any";
  readonly apply: (
    operands: readonly never[],
    node: GraphNode,
    indices: readonly Index[],
  ) => Expression;
}

/** An expression of type float32. */
const float = (value: number): Expression<"float32"> => constant("float32", value);
const [infinity, minusInfinity, nan] = [Infinity, -Infinity, Number.NaN].map(float) as [
  NumberExpression,
  NumberExpression,
  NumberExpression,
];
const zeroOf = (a: NumberExpression): NumberExpression => constant(a.type, 0);

/** x / y, with the infinities and NaN that IEEE 754 has beside 0, where programs have 0. */
function divide(a: NumberExpression, b: NumberExpression): NumberExpression {
  if (a.type === "int32") return divideInts(a, b);
  const quotient = p.divide(a, b);
  const divisor = constantValue(b);
  if (divisor !== undefined && divisor !== 0) return quotient;
  const signed = p.where(p.less(a, 0), minusInfinity, p.where(p.greater(a, 0), infinity, nan));
  return p.where(p.equal(b, 0), signed, quotient);
}

/** Quotients of integers are rounded towards 0. */
function divideInts(a: NumberExpression, b: NumberExpression): NumberExpression {
  const magnitude = p.floorDivide(p.abs(a), p.abs(b));
  const turned = p.notEqual(p.less(a, 0), p.less(b, 0));
  return p.where(turned, p.negative(magnitude), magnitude);
}

function modulo(a: NumberExpression, b: NumberExpression, node: GraphNode): NumberExpression {
  const ofDividend = node.integer("fmod", 0) === 1;
  if (a.type === "float32" && !ofDividend) throw node.wrong("integers, or fmod 1", "floats");
  const rest = ofDividend
    ? p.where(p.less(a, 0), p.negative(p.remainder(p.abs(a), p.abs(b))), p.remainder(a, p.abs(b)))
    : p.remainder(a, b);
  return a.type === "float32" ? p.where(p.equal(b, 0), nan, rest) : rest;
}

const ceiling = (a: NumberExpression): NumberExpression => p.negative(p.floor(p.negative(a)));
const sigmoid = (a: NumberExpression): NumberExpression =>
  p.divide(1, p.add(p.exp(p.negative(a)), 1));

/** The nearest integer, the even one of two. */
function round(a: NumberExpression): NumberExpression {
  const nearest = p.floor(p.add(a, 0.5));
  const isTie = p.equal(p.subtract(nearest, a), 0.5);
  const isOdd = p.equal(p.remainder(nearest, 2), 1);
  return p.where(p.and(isTie, isOdd), p.subtract(nearest, 1), nearest);
}

const largestPower = 64;

function power(a: NumberExpression, b: NumberExpression, node: GraphNode): NumberExpression {
  const exponent = constantValue(b);
  if (exponent === 0.5) return p.sqrt(a);
  if (exponent === undefined || !Number.isInteger(exponent) || Math.abs(exponent) > largestPower) {
    const expected = `a constant integer from −${largestPower} to ${largestPower} as exponent, or 0.5; Exp and Log say others`;
    throw node.wrong(expected, exponent === undefined ? "a value" : `${exponent}`);
  }
  if (exponent === 0) return constant(a.type, 1);
  let result: NumberExpression | null = null;
  let factor = a;
  for (let n = Math.abs(exponent); n > 0; n >>= 1) {
    if (n & 1) result = result === null ? factor : p.multiply(result, factor);
    if (n > 1) factor = p.multiply(factor, factor);
  }
  const whole = result as NumberExpression;
  return exponent > 0 ? whole : divide(constant(a.type, 1), whole);
}

function clip(operands: readonly never[]): NumberExpression {
  const [a, least, most] = operands as unknown as [
    NumberExpression,
    NumberExpression,
    NumberExpression,
  ];
  return p.minimum(p.maximum(a, least), most);
}

const all = (join: (a: NumberExpression, b: NumberExpression) => NumberExpression) => ({
  least: 1,
  most: 64,
  takes: "numbers" as const,
  apply: (operands: readonly never[]) => (operands as Numbers).reduce((a, b) => join(a, b)),
});
const one = (
  takes: "numbers" | "floats",
  apply: (a: NumberExpression, node: GraphNode) => Expression,
): Elementwise => ({
  least: 1,
  takes,
  apply: ([a], node) => apply(a as unknown as NumberExpression, node),
});
const two = (
  apply: (a: NumberExpression, b: NumberExpression, node: GraphNode) => Expression,
): Elementwise => ({
  least: 2,
  takes: "numbers",
  apply: ([a, b], node) =>
    apply(a as unknown as NumberExpression, b as unknown as NumberExpression, node),
});
const logic = (
  apply: (...operands: readonly BoolExpression[]) => Expression,
  least = 2,
): Elementwise => ({
  least,
  takes: "bools",
  apply: (operands) => apply(...(operands as readonly BoolExpression[])),
});

/** Operators that look at one element of each input. */
export const elementwise: Readonly<Record<string, Elementwise>> = {
  Identity: { least: 1, takes: "any", apply: ([a]) => a as unknown as Expression },
  Add: two(p.add),
  Sub: two(p.subtract),
  Mul: two(p.multiply),
  Div: two(divide),
  Mod: two(modulo),
  Pow: two(power),
  Max: all(p.maximum),
  Min: all(p.minimum),
  Sum: all(p.add),
  Mean: {
    ...all(p.add),
    takes: "floats",
    apply: (operands) =>
      p.divide(
        (operands as Numbers).reduce((a, b) => p.add(a, b)),
        operands.length,
      ),
  },
  Neg: one("numbers", p.negative),
  Abs: one("numbers", p.abs),
  Sign: one("numbers", (a) =>
    p.where(p.greater(a, 0), constant(a.type, 1), p.where(p.less(a, 0), constant(a.type, -1), a)),
  ),
  Floor: one("floats", p.floor),
  Ceil: one("floats", ceiling),
  Round: one("floats", round),
  Sqrt: one("floats", p.sqrt),
  Exp: one("floats", p.exp),
  Log: one("floats", p.log),
  Tanh: one("floats", p.tanh),
  Sinh: one("floats", (a) => p.divide(p.subtract(p.exp(a), p.exp(p.negative(a))), 2)),
  Cosh: one("floats", (a) => p.divide(p.add(p.exp(a), p.exp(p.negative(a))), 2)),
  Reciprocal: one("floats", (a) => divide(float(1), a)),
  Sigmoid: one("floats", sigmoid),
  Relu: one("numbers", (a) => p.maximum(a, zeroOf(a))),
  LeakyRelu: one("floats", (a, node) =>
    p.where(p.less(a, 0), p.multiply(a, node.number("alpha", 0.01)), a),
  ),
  Softplus: one("floats", (a) =>
    p.add(p.maximum(a, 0), p.log(p.add(p.exp(p.negative(p.abs(a))), 1))),
  ),
  Softsign: one("floats", (a) => p.divide(a, p.add(p.abs(a), 1))),
  IsNaN: one("floats", (a) => p.notEqual(a, a)),
  IsInf: one("floats", (a, node) => {
    const either = p.equal(p.abs(a), infinity);
    if (node.integer("detect_positive", 1) === 0) return p.and(either, p.less(a, 0));
    return node.integer("detect_negative", 1) === 0 ? p.and(either, p.greater(a, 0)) : either;
  }),
  Clip: { least: 1, most: 3, takes: "numbers", apply: clip },
  Equal: { least: 2, takes: "any", apply: ([a, b]) => p.equal(a as never, b as never) },
  Less: two(p.less),
  LessOrEqual: two(p.lessEqual),
  Greater: two(p.greater),
  GreaterOrEqual: two(p.greaterEqual),
  And: logic(p.and),
  Or: logic(p.or),
  Xor: logic(p.notEqual as (...operands: readonly BoolExpression[]) => Expression),
  Not: logic(p.not as (...operands: readonly BoolExpression[]) => Expression, 1),
  Where: {
    least: 3,
    takes: "choice",
    apply: ([condition, a, b]) => p.where(condition as never, a as never, b as never),
  },
  Trilu: {
    least: 1,
    most: 2,
    takes: "any",
    apply: ([a], node, indices) => {
      const [i, j] = indices.slice(-2);
      if (i === undefined || j === undefined) throw node.wrong("a matrix", "fewer axes");
      const [k = 0] = node.integers(1) ?? [];
      const shifted = p.add(i, k);
      const kept =
        node.integer("upper", 1) === 1 ? p.greaterEqual(j, shifted) : p.lessEqual(j, shifted);
      const value = a as unknown as Expression;
      return p.where(kept, value as never, constant(value.type, 0) as never);
    },
  },
};

/** A node of an operator that looks at one element of each of its inputs. */
export function elementwiseTensor(
  node: GraphNode,
  { least, most, takes, apply }: Elementwise,
): SymbolicTensor {
  const operands = operandsOf(node, least, most);
  const type = typeOf(node, takes, operands);
  const shape = broadcastShape(node, operands);
  const hasScores = operands.some((operand) => operand.hasScores);
  for (const operand of operands) {
    if (operand.hasScores && operand.size !== sizeOf(shape)) {
      throw node.wrong("nothing that gives scores another shape", `[${shape.join(", ")}]`);
    }
  }
  return new SymbolicTensor(type, shape, hasScores, (indices) =>
    apply(operands.map((operand) => operand.broadcastAt(indices)) as never, node, indices),
  );
}

/** `Trilu` has an input beside its operand, and the bounds of `Clip` may be left out. */
function operandsOf(
  node: GraphNode,
  least: number,
  most: number | undefined,
): readonly SymbolicTensor[] {
  if (node.operator !== "Clip" && node.operator !== "Trilu") return node.inputs(least, most);
  const value = node.optional(0);
  if (value === null || node.count > (most ?? least)) {
    throw node.wrong(`a first input, and ${most} at most`, `${node.count}`);
  }
  if (node.operator === "Trilu") return [value];
  const bounds = value.type === "int32" ? [-(2 ** 31), 2 ** 31 - 1] : [-Infinity, Infinity];
  return [
    value,
    ...bounds.map((bound, n) => node.optional(n + 1) ?? numberTensor(value.type, bound)),
  ];
}

const comparing: ReadonlySet<string> = new Set(
  "Equal Less LessOrEqual Greater GreaterOrEqual And Or Xor Not IsNaN IsInf".split(" "),
);

/** The type of the result. @throws InvalidInputError if the operands' types are not the operator's */
function typeOf(
  node: GraphNode,
  takes: Elementwise["takes"],
  operands: readonly SymbolicTensor[],
): ProgramType {
  const chosen = takes === "choice" ? operands.slice(1) : operands;
  const types = operands.map(({ type }) => type);
  const [type] = chosen.map((operand) => operand.type) as [ProgramType];
  const alike = chosen.every((operand) => operand.type === type);
  const fits = {
    numbers: type !== "bool",
    floats: type === "float32",
    bools: type === "bool",
    choice: types[0] === "bool",
    any: true,
  }[takes];
  if (alike && fits) return comparing.has(node.operator) ? "bool" : type;
  const expected = {
    numbers: "numbers of one type",
    floats: "floats",
    bools: "bools",
    choice: "a bool and two values of one type",
    any: "values of one type",
  }[takes];
  throw node.wrong(expected, types.join(" and "));
}

function broadcastShape(node: GraphNode, operands: readonly SymbolicTensor[]): readonly number[] {
  const rank = Math.max(...operands.map(({ shape }) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let size = 1;
    for (const { shape } of operands) {
      const own = shape[shape.length - rank + axis] ?? 1;
      if (own === 1 || own === size) continue;
      if (size !== 1) {
        throw node.wrong(
          "shapes that broadcast",
          operands.map((o) => `[${o.shape.join(", ")}]`).join(" and "),
        );
      }
      size = own;
    }
    return size;
  });
}
