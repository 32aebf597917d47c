import { tensor } from "@heed/core";
import {
  abs,
  add,
  and,
  astype,
  type BoolExpression,
  divide,
  type Expression,
  equal,
  exp,
  floor,
  floorDivide,
  greater,
  greaterEqual,
  less,
  lessEqual,
  log,
  maximum,
  minimum,
  multiply,
  type NumberExpression,
  negative,
  not,
  notEqual,
  or,
  remainder,
  scalar,
  sqrt,
  subtract,
  table,
  tanh,
  where,
} from "@heed/core/program";
import fc from "fast-check";

/** A random expression as data, so that it shrinks and prints; {@link build} makes the expression. */
export interface Tree {
  readonly name: string;
  readonly value?: number;
  readonly args: readonly Tree[];
}

const ints = ["batch", "head", "query", "key", "queryIndex", "keyIndex"];
const intConstants = [0, 1, -1, 2, 3, -5, 7, 64, 2147483647, -2147483648];
const floatConstants = [0, 0.5, -1.25, 3, 1e10, -1e30];

const leaf = (name: string, value?: number): Tree => ({
  name,
  args: [],
  ...(value !== undefined && { value }),
});
const node = (names: readonly string[], ...args: fc.Arbitrary<Tree>[]): fc.Arbitrary<Tree> =>
  fc.record({ name: fc.constantFrom(...names), args: fc.tuple(...args) });

/** Random typed trees; of a mask, unless `score` is among the floats. */
export const { int, float, bool } = fc.letrec<{ int: Tree; float: Tree; bool: Tree }>((tie) => {
  const depthIdentifier = "program";
  const options = { depthIdentifier, depthSize: "small", maxDepth: 6 } as const;
  const int = () => tie("int");
  const float = () => tie("float");
  const bool = () => tie("bool");
  return {
    int: fc.oneof(
      options,
      fc.constantFrom(...ints.map((name) => leaf(name))),
      fc.constantFrom(...intConstants.map((value) => leaf("int", value))),
      fc.constantFrom(leaf("scalar"), leaf("largeInt")),
      node(["add", "subtract", "multiply", "minimum", "maximum"], int(), int()),
      node(["floorDivide", "remainder"], int(), int()),
      node(["negative", "abs", "ids", "largeIds"], int()),
      node(["grid"], int(), int()),
      node(["where"], bool(), int(), int()),
      node(["toInt"], fc.oneof(float(), bool())),
    ),
    float: fc.oneof(
      options,
      fc.constantFrom(...floatConstants.map((value) => leaf("float", value))),
      fc.constant(leaf("floatScalar")),
      node(["add", "subtract", "multiply", "divide", "minimum", "maximum"], float(), float()),
      node(["floorDivide", "remainder"], float(), float()),
      node(["negative", "abs", "floor", "sqrt", "exp", "log", "tanh"], float()),
      node(["slopes", "toFloat"], int()),
      node(["where"], bool(), float(), float()),
      node(["divide"], int(), int()),
    ),
    bool: fc.oneof(
      options,
      fc.constantFrom(leaf("true"), leaf("false")),
      node(["less", "lessEqual", "greater", "greaterEqual", "equal", "notEqual"], int(), int()),
      node(["less", "lessEqual", "greater", "greaterEqual", "equal", "notEqual"], float(), float()),
      node(["equal", "notEqual", "and", "or"], bool(), bool()),
      node(["not"], bool()),
      node(["flags"], int()),
      node(["where"], bool(), bool(), bool()),
      node(["toBool"], fc.oneof(int(), float())),
    ),
  };
});

const ids = table(
  tensor(Int32Array.of(0, 0, 1, 1, 1, 2, 3, 3, 3, 3, 4, 5, 5, 5, 5, 5, 5, 5, 6, 6), [20]),
);
const largeIds = table(
  tensor(
    Int32Array.from({ length: 40 }, (_, i) => (i ** 5) | 0),
    [1, 40],
  ),
);
const grid = table(
  tensor(
    Int32Array.from({ length: 15 }, (_, i) => (i * 7) % 11),
    [3, 5],
  ),
);
const slopes = table(tensor(Float32Array.of(0.5, -2, Number.NaN, 1e20, 0, 3.25), [6]));
const flags = table(tensor([true, false, false, true, true], [5]));
const scalars = { scalar: scalar(3), largeInt: scalar(2_000_000_000), floatScalar: scalar(0.75) };

type Make = (...operands: readonly Expression[]) => Expression;
const functions: Readonly<Record<string, Make>> = {
  ...({
    abs,
    add,
    and,
    divide,
    equal,
    exp,
    floor,
    floorDivide,
    greater,
    greaterEqual,
    less,
  } as object),
  ...({
    lessEqual,
    log,
    maximum,
    minimum,
    multiply,
    negative,
    not,
    notEqual,
    or,
    remainder,
  } as object),
  ...({ sqrt, subtract, tanh, where } as object),
  ids: (i) => ids.at(i as NumberExpression),
  largeIds: (i) => largeIds.at(0, i as NumberExpression),
  grid: (i, j) => grid.at(i as NumberExpression, j as NumberExpression),
  slopes: (i) => slopes.at(i as NumberExpression),
  flags: (i) => flags.at(i as NumberExpression),
  toInt: (x) => astype(x as NumberExpression, "int32"),
  toFloat: (x) => astype(x as NumberExpression, "float32"),
  toBool: (x) => astype(x as NumberExpression, "bool"),
};

/** The expression of a tree. */
export function build(tree: Tree, variables: object): Expression {
  const { name, value, args } = tree;
  const variable = (variables as Record<string, Expression>)[name];
  if (args.length === 0 && variable) return variable;
  switch (name) {
    case "int":
      return add(value as number, 0);
    case "float":
      return astype(value as number, "float32");
    case "true":
      return and(true);
    case "false":
      return and(false);
    case "scalar":
    case "largeInt":
    case "floatScalar":
      return scalars[name] as Expression;
  }
  return (functions[name] as Make)(...args.map((arg) => build(arg, variables)));
}

export const buildBool = (tree: Tree, variables: object): BoolExpression =>
  build(tree, variables) as BoolExpression;
export const buildNumber = (tree: Tree, variables: object): NumberExpression =>
  build(tree, variables) as NumberExpression;
