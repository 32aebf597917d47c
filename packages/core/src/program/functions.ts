import { describeValue, InvalidInputError } from "../errors.js";
import type { Expression } from "./expression.js";
import {
  asNumeric,
  type BoolOperand,
  boolOperands,
  isBoolOperand,
  type NumberOperand,
  numericOperands,
  operation,
  wrongOperands,
} from "./operations.js";
import type {
  ArithmeticName,
  ComparisonName,
  FloatName,
  LogicName,
  NumericType,
  ProgramType,
} from "./types.js";

/** An int32 or float32 expression. */
export type NumberExpression = Expression<NumericType>;
/** A bool expression. */
export type BoolExpression = Expression<"bool">;

function arithmetic(name: ArithmeticName, operands: readonly unknown[]): NumberExpression {
  const { type, args } = numericOperands(name, operands);
  return operation(name, type, args);
}

function float(name: FloatName, operands: readonly unknown[]): Expression<"float32"> {
  const { args } = numericOperands(name, operands);
  return operation(
    name,
    "float32",
    args.map((arg) => asNumeric(arg, "float32")),
  );
}

function comparison(name: ComparisonName, a: unknown, b: unknown): BoolExpression {
  const bools = isBoolOperand(a) && isBoolOperand(b) && (name === "equal" || name === "notEqual");
  const args = bools ? boolOperands(name, [a, b]) : numericOperands(name, [a, b]).args;
  return operation(name, "bool", args);
}

function logic(name: Exclude<LogicName, "not">, operands: readonly unknown[]): BoolExpression {
  if (operands.length === 0) throw wrongOperands(name, "bool expressions or booleans", operands);
  return boolOperands(name, operands).reduce((a, b) => operation(name, "bool", [a, b]));
}

/** a + b. int32 wraps at 32 bits. */
export const add = (a: NumberOperand, b: NumberOperand): NumberExpression =>
  arithmetic("add", [a, b]);
/** a − b. int32 wraps at 32 bits. */
export const subtract = (a: NumberOperand, b: NumberOperand): NumberExpression =>
  arithmetic("subtract", [a, b]);
/** a · b. int32 wraps at 32 bits. */
export const multiply = (a: NumberOperand, b: NumberOperand): NumberExpression =>
  arithmetic("multiply", [a, b]);
/** a / b as float32, of int32 operands too; 0 if b is 0. */
export const divide = (a: NumberOperand, b: NumberOperand): Expression<"float32"> =>
  float("divide", [a, b]);
/** ⌊a / b⌋, rounded towards −∞; 0 if b is 0. */
export const floorDivide = (a: NumberOperand, b: NumberOperand): NumberExpression =>
  arithmetic("floorDivide", [a, b]);
/** a − b · ⌊a / b⌋, of the sign of b; 0 if b is 0. */
export const remainder = (a: NumberOperand, b: NumberOperand): NumberExpression =>
  arithmetic("remainder", [a, b]);
/** −a. int32 wraps: −(−2^31) is −2^31. */
export const negative = (a: NumberOperand): NumberExpression => arithmetic("negative", [a]);
/** |a|. int32 wraps: |−2^31| is −2^31. */
export const abs = (a: NumberOperand): NumberExpression => arithmetic("abs", [a]);
/** The smaller of two. */
export const minimum = (a: NumberOperand, b: NumberOperand): NumberExpression =>
  arithmetic("minimum", [a, b]);
/** The larger of two. */
export const maximum = (a: NumberOperand, b: NumberOperand): NumberExpression =>
  arithmetic("maximum", [a, b]);
/** The largest integer that is not above a, of a's type. */
export const floor = (a: NumberOperand): NumberExpression => arithmetic("floor", [a]);
/** √a as float32; NaN below 0. */
export const sqrt = (a: NumberOperand): Expression<"float32"> => float("sqrt", [a]);
/** e^a as float32. */
export const exp = (a: NumberOperand): Expression<"float32"> => float("exp", [a]);
/** The natural logarithm as float32; −∞ of 0, NaN below. */
export const log = (a: NumberOperand): Expression<"float32"> => float("log", [a]);
/** The hyperbolic tangent as float32. */
export const tanh = (a: NumberOperand): Expression<"float32"> => float("tanh", [a]);

/** a = b, of numbers or of bools. */
export const equal = (
  a: NumberOperand | BoolOperand,
  b: NumberOperand | BoolOperand,
): BoolExpression => comparison("equal", a, b);
/** a ≠ b, of numbers or of bools. */
export const notEqual = (
  a: NumberOperand | BoolOperand,
  b: NumberOperand | BoolOperand,
): BoolExpression => comparison("notEqual", a, b);
/** a < b. */
export const less = (a: NumberOperand, b: NumberOperand): BoolExpression =>
  comparison("less", a, b);
/** a ≤ b. */
export const lessEqual = (a: NumberOperand, b: NumberOperand): BoolExpression =>
  comparison("lessEqual", a, b);
/** a > b. */
export const greater = (a: NumberOperand, b: NumberOperand): BoolExpression =>
  comparison("greater", a, b);
/** a ≥ b. */
export const greaterEqual = (a: NumberOperand, b: NumberOperand): BoolExpression =>
  comparison("greaterEqual", a, b);

/** Whether all operands are true; one or more. A mask program stands for its expression. */
export const and = (...operands: readonly BoolOperand[]): BoolExpression => logic("and", operands);
/** Whether any operand is true; one or more. A mask program stands for its expression. */
export const or = (...operands: readonly BoolOperand[]): BoolExpression => logic("or", operands);
/** Whether the operand is false. */
export const not = (a: BoolOperand): BoolExpression =>
  operation("not", "bool", boolOperands("not", [a]));

/** `a` where the condition is true, otherwise `b`; both are numbers or both are bools. */
export function where(condition: BoolOperand, a: NumberOperand, b: NumberOperand): NumberExpression;
export function where(condition: BoolOperand, a: BoolOperand, b: BoolOperand): BoolExpression;
export function where(condition: unknown, a: unknown, b: unknown): Expression {
  if (!isBoolOperand(condition) || isBoolOperand(a) !== isBoolOperand(b)) {
    const expected = "a bool condition and two numbers or two bools";
    throw wrongOperands("where", expected, [condition, a, b]);
  }
  const [chooser] = boolOperands("where", [condition]) as readonly [BoolExpression];
  if (isBoolOperand(a))
    return operation("where", "bool", [chooser, ...boolOperands("where", [a, b])]);
  const { type, args } = numericOperands("where", [a, b]);
  return operation("where", type, [chooser, ...args]);
}

/**
 * A value as another type, by NumPy's name. float32 to int32 is rounded towards 0; beyond int32's range it is the
 * nearest end, and NaN is 0. To bool: whether it is not 0. From bool: 0 and 1.
 */
export function astype<T extends ProgramType>(
  a: NumberOperand | BoolOperand,
  type: T,
): Expression<T> {
  if (type !== "int32" && type !== "float32" && type !== "bool") {
    throw new InvalidInputError("astype", '"int32", "float32" or "bool"', describeValue(type));
  }
  const [arg] = isBoolOperand(a)
    ? boolOperands("astype", [a])
    : numericOperands("astype", [a]).args;
  return operation("astype", type, [arg as Expression]);
}

/** Every function that makes an operation, by its name. */
export const functionsByName: Readonly<
  Record<string, (...operands: readonly never[]) => Expression>
> = {
  add,
  subtract,
  multiply,
  divide,
  floorDivide,
  remainder,
  negative,
  abs,
  minimum,
  maximum,
  floor,
  sqrt,
  exp,
  log,
  tanh,
  equal,
  notEqual,
  less,
  lessEqual,
  greater,
  greaterEqual,
  and,
  or,
  not,
  where,
  astype,
} as never;
