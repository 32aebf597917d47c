import { InvalidInputError } from "../errors.js";
import { isInt32 } from "../options.js";
import { applyOperation } from "./arithmetic.js";
import {
  constant,
  constantValue,
  describeOperand,
  Expression,
  isExpression,
} from "./expression.js";
import type { NumericType, OperationName, ProgramType } from "./types.js";

/** An int32 or float32 expression, or a plain number. */
export type NumberOperand = Expression<NumericType> | number;
/** Something whose value is one bool: an expression, or a mask program, which stands for its expression. */
export interface HasBoolExpression {
  readonly expression: Expression<"bool">;
}
/** A bool expression, a mask program or a plain boolean. */
export type BoolOperand = Expression<"bool"> | HasBoolExpression | boolean;

/**
 * An expression of an operation, folded where constants among its operands say the value already. Folding
 * looks at nothing but constants, so that a program that is read from JSON folds no further.
 */
export function operation<T extends ProgramType>(
  name: OperationName,
  type: T,
  args: readonly Expression[],
): Expression<T> {
  return (folded(name, type, args) ??
    new Expression(type, { kind: "operation", name, args })) as Expression<T>;
}

function folded(
  name: OperationName,
  type: ProgramType,
  args: readonly Expression[],
): Expression | undefined {
  const [a, b, c] = args as readonly [Expression, Expression?, Expression?];
  const values = args.map(constantValue);
  if (values.every((value) => value !== undefined)) {
    const [x = 0, y = 0, z = 0] = values;
    const from = (name === "where" ? (b as Expression) : a).type;
    return constant(type, applyOperation(name, from, type, x, y, z));
  }
  const [x, y, z] = values;
  switch (name) {
    case "astype":
    case "floor":
      return a.type === type && (name === "astype" || type === "int32") ? a : undefined;
    case "and":
      return x === 0 || y === 1 ? a : y === 0 || x === 1 ? b : undefined;
    case "or":
      return x === 1 || y === 0 ? a : y === 1 || x === 0 ? b : undefined;
    case "where":
      return x === 1 || (y !== undefined && Object.is(y, z)) ? b : x === 0 ? c : undefined;
    case "add":
      return type !== "int32" ? undefined : x === 0 ? b : y === 0 ? a : undefined;
    case "multiply":
      return type !== "int32" ? undefined : x === 1 ? b : y === 1 ? a : undefined;
    case "subtract":
      return type === "int32" && y === 0 ? a : undefined;
    default:
      return undefined;
  }
}

/** The expression of a value that is one, or of a program. Never throws. */
export function expressionOf(value: unknown): Expression | undefined {
  if (isExpression(value)) return value;
  if (typeof value !== "object" || value === null) return undefined;
  try {
    const { expression } = value as { readonly expression?: unknown };
    return isExpression(expression) ? expression : undefined;
  } catch {
    return undefined;
  }
}

/** The error of operands that an operation does not take: it names the operation and the types. */
export function wrongOperands(
  name: string,
  expected: string,
  operands: readonly unknown[],
): InvalidInputError {
  const types = operands.map((operand) => describeOperand(expressionOf(operand) ?? operand));
  return new InvalidInputError(name, expected, types.join(" and ") || "nothing");
}

/**
 * Operands of arithmetic as expressions of one type: float32 if one of them is float32 or a number that no
 * int32 holds, otherwise int32.
 *
 * @throws InvalidInputError naming the operation and the types
 */
export function numericOperands(
  name: string,
  operands: readonly unknown[],
): { readonly type: NumericType; readonly args: readonly Expression<NumericType>[] } {
  let type: NumericType = "int32";
  for (const operand of operands) {
    if (isExpression(operand) && operand.type !== "bool") {
      if (operand.type === "float32") type = "float32";
    } else if (typeof operand === "number") {
      if (!isInt32(operand)) type = "float32";
    } else {
      const one = operands.length === 1;
      const expected = one
        ? "an int32 or float32 expression or a number"
        : "int32 or float32 expressions or numbers";
      throw wrongOperands(name, expected, operands);
    }
  }
  const args = operands.map((operand) => asNumeric(operand as NumberOperand, type));
  return { type, args };
}

/** An int32 expression or number as float32, if that is wanted; anything else as it is. */
export function asNumeric(operand: NumberOperand, type: NumericType): Expression<NumericType> {
  if (typeof operand === "number") return constant(type, operand);
  return operand.type === type ? operand : operation("astype", type, [operand]);
}

/** A plain boolean as a constant; undefined for anything else. */
export function constantOperand(operand: unknown): Expression<"bool"> | undefined {
  return typeof operand === "boolean" ? constant("bool", operand ? 1 : 0) : undefined;
}

/** @throws InvalidInputError naming the operation and the types */
export function boolOperands(
  name: string,
  operands: readonly unknown[],
): readonly Expression<"bool">[] {
  return operands.map((operand) => {
    const expression = expressionOf(operand) ?? constantOperand(operand);
    if (expression?.type === "bool") return expression as Expression<"bool">;
    throw wrongOperands(name, "bool expressions or booleans", operands);
  });
}

/** Whether an operand is a bool, so that comparisons of bools are told from those of numbers. */
export function isBoolOperand(operand: unknown): boolean {
  return typeof operand === "boolean" || expressionOf(operand)?.type === "bool";
}
