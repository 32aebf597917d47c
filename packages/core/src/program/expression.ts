import { describeValue, InvalidInputError } from "../errors.js";
import {
  type OperationName,
  type ProgramType,
  programLimits,
  type VariableName,
  variableTypes,
} from "./types.js";

/** Content of an expression; a table or a scalar is identified by the object that holds its data. */
export type ExpressionNode =
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "variable"; readonly name: VariableName }
  | { readonly kind: "scalar"; readonly source: object }
  | { readonly kind: "table"; readonly source: object; readonly args: readonly Expression[] }
  | {
      readonly kind: "operation";
      readonly name: OperationName;
      readonly args: readonly Expression[];
    };

/**
 * A typed expression of a mask or score program. It is immutable, holds no code, and can only be made
 * of other expressions, so that it has no cycles. Made by the functions of this module, such as `add`.
 */
export class Expression<out T extends ProgramType = ProgramType> {
  readonly #type: T;
  readonly #node: ExpressionNode;
  readonly #depth: number;

  /** @internal Use the functions of this module. */
  constructor(type: T, node: ExpressionNode) {
    this.#type = type;
    this.#node = node;
    let depth = 0;
    if (node.kind === "table" || node.kind === "operation") {
      for (const arg of node.args) depth = Math.max(depth, arg.#depth + 1);
      if (depth > programLimits.depth) {
        throw new InvalidInputError(
          node.kind === "table" ? "table.at" : node.name,
          `an expression at most ${programLimits.depth} operations deep`,
          `one that is ${depth} deep`,
        );
      }
    }
    this.#depth = depth;
  }

  /** Type of the value. */
  get type(): T {
    return this.#type;
  }

  static is(value: unknown): value is Expression {
    return typeof value === "object" && value !== null && #node in value;
  }

  static nodeOf(expression: Expression): ExpressionNode {
    return expression.#node;
  }
}

/** Whether a value is an expression of this copy of the module. Never throws. */
export function isExpression(value: unknown): value is Expression {
  return Expression.is(value);
}

/** Content of an expression. */
export function nodeOf(expression: Expression): ExpressionNode {
  return Expression.nodeOf(expression);
}

/** A constant; floats are rounded to float32, booleans are 0 and 1. */
export function constant<T extends ProgramType>(type: T, value: number): Expression<T> {
  return new Expression(type, {
    kind: "constant",
    value: type === "float32" ? Math.fround(value) : value | 0,
  });
}

/** The value of a constant; undefined for all other expressions. */
export function constantValue(expression: Expression): number | undefined {
  const node = nodeOf(expression);
  return node.kind === "constant" ? node.value : undefined;
}

function makeVariable(name: VariableName): Expression {
  return new Expression(variableTypes[name], { kind: "variable", name });
}

/** The variables: each is one expression, whichever program it is used in. */
export const variables: Readonly<Record<VariableName, Expression>> = Object.freeze({
  batch: makeVariable("batch"),
  head: makeVariable("head"),
  query: makeVariable("query"),
  key: makeVariable("key"),
  queryIndex: makeVariable("queryIndex"),
  keyIndex: makeVariable("keyIndex"),
  score: makeVariable("score"),
});

/** How an operand reads in an error message: the type of an expression, otherwise the value. */
export function describeOperand(value: unknown): string {
  if (isExpression(value)) return value.type;
  if (typeof value === "number") return `the number ${value}`;
  return describeValue(value);
}
