/** Types of a program's values. */
export type ProgramType = "int32" | "float32" | "bool";

/** Whether a value names a type. */
export function isProgramType(value: unknown): value is ProgramType {
  return value === "int32" || value === "float32" || value === "bool";
}

/** Types that arithmetic takes. */
export type NumericType = "int32" | "float32";

/**
 * Variables of a program. `batch` is the batch entry (the sequence, in a ragged batch), `head` the query head,
 * `query` and `key` the positions that causal and window compare, `queryIndex` and `keyIndex` the
 * plain indices i and j, `score` the logit before the program.
 */
export type VariableName = "batch" | "head" | "query" | "key" | "queryIndex" | "keyIndex" | "score";

/** Types of the variables. */
export const variableTypes: Readonly<Record<VariableName, NumericType>> = {
  batch: "int32",
  head: "int32",
  query: "int32",
  key: "int32",
  queryIndex: "int32",
  keyIndex: "int32",
  score: "float32",
};

/** Operations by how they are typed; the names are NumPy's. */
export type ArithmeticName =
  | "add"
  | "subtract"
  | "multiply"
  | "floorDivide"
  | "remainder"
  | "minimum"
  | "maximum"
  | "negative"
  | "abs"
  | "floor";
export type FloatName = "divide" | "sqrt" | "exp" | "log" | "tanh";
export type ComparisonName =
  | "equal"
  | "notEqual"
  | "less"
  | "lessEqual"
  | "greater"
  | "greaterEqual";
export type LogicName = "and" | "or" | "not";
export type OperationName =
  | ArithmeticName
  | FloatName
  | ComparisonName
  | LogicName
  | "where"
  | "astype";

/** Number of operands of each operation of a canonical program. */
export const operandCounts: Readonly<Record<OperationName, number>> = {
  add: 2,
  subtract: 2,
  multiply: 2,
  floorDivide: 2,
  remainder: 2,
  minimum: 2,
  maximum: 2,
  negative: 1,
  abs: 1,
  floor: 1,
  divide: 2,
  sqrt: 1,
  exp: 1,
  log: 1,
  tanh: 1,
  equal: 2,
  notEqual: 2,
  less: 2,
  lessEqual: 2,
  greater: 2,
  greaterEqual: 2,
  and: 2,
  or: 2,
  not: 1,
  where: 3,
  astype: 1,
};

/** Bounds of a program, so that every backend can compile it and no recursion overflows a stack. */
export const programLimits = {
  /** Operations on the longest way from the result to a variable. */
  depth: 256,
  /** Different subexpressions. */
  nodes: 1024,
  /** Tables, and scalars. */
  sources: 16,
  /** Axes of a table. */
  rank: 4,
} as const;
