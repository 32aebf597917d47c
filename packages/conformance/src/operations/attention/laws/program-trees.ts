import { type HostTensor, tensor } from "@heed/core";
import * as program from "@heed/core/program";
import fc from "fast-check";
import { Random } from "../../../calls/random.js";

/** A random expression as data, so that it shrinks and prints. */
export type Tree = readonly [name: string, ...args: (Tree | number)[]];

const node = (names: readonly string[], ...args: fc.Arbitrary<Tree>[]): fc.Arbitrary<Tree> =>
  fc.tuple(fc.constantFrom(...names), ...args) as unknown as fc.Arbitrary<Tree>;

/**
 * Trees of masks and of scores. Masks are integers and bools: floats near a comparison's edge may go either way. Scores
 * are at most a few times as far off as what they are made of.
 */
const trees = fc.letrec<{ int: Tree; bool: Tree; float: Tree }>((tie) => {
  const options = { depthIdentifier: "program", depthSize: "small", maxDepth: 5 } as const;
  const [int, bool, float] = [() => tie("int"), () => tie("bool"), () => tie("float")];
  const names = ["batch", "head", "query", "key", "queryIndex", "keyIndex", "scalar"];
  const numbers = [0, 1, -1, 2, 3, -7, 40, 2 ** 31 - 1, -(2 ** 31)];
  return {
    int: fc.oneof(
      options,
      fc.constantFrom<Tree>(...names.map((name): Tree => [name])),
      fc.constantFrom<Tree>(...numbers.map((value): Tree => ["number", value])),
      node(["add", "subtract", "multiply", "minimum", "maximum"], int(), int()),
      node(["floorDivide", "remainder"], int(), int()),
      node(["negative", "abs", "ids"], int()),
      node(["grid"], int(), int()),
      node(["where"], bool(), int(), int()),
      node(["int32"], bool()),
    ),
    bool: fc.oneof(
      options,
      node(["less", "lessEqual", "greaterEqual", "equal", "notEqual"], int(), int()),
      node(["and", "or", "equal"], bool(), bool()),
      node(["not"], bool()),
      node(["where"], bool(), bool(), bool()),
    ),
    float: fc.oneof(
      options,
      fc.constant<Tree>(["score"]),
      fc.constantFrom<Tree>(...[-3, 0, 1, 4].map((value): Tree => ["halves", value])),
      node(["add", "subtract", "minimum", "maximum", "quotient"], float(), float()),
      node(["negative", "abs", "tanh", "half", "root", "bell"], float()),
      node(["small", "line"], int()),
      node(["cube"], int(), int(), int()),
      node(["hypercube"], int(), int(), int(), int()),
      node(["where"], bool(), float(), float()),
    ),
  };
});

/** Draws expressions of masks. */
export const maskTrees: fc.Arbitrary<Tree> = trees.bool;

/** Draws expressions of scores. */
export const scoreTrees: fc.Arbitrary<Tree> = trees.float;

const { scalar, table } = program;

const ids = table(tensor(Int32Array.of(0, 0, 1, 1, 1, 2, 3, 3, 9, 3, 4, -5, 5), [13]));
const grid = table(tensor(Int32Array.of(4, 1, 2, 8, 5, 7, 3, 0), [2, 4]));
const floats = (...shape: number[]) =>
  table(new Random(shape.join()).tensor(shape, "float32") as HostTensor<"float32">);
const [line, cube, hypercube] = [floats(11), floats(2, 5, 3), floats(2, 2, 3, 4)];
const width = scalar(5);

type Make = (...args: readonly program.Expression[]) => program.Expression;
type Number = program.NumberExpression;

/** Makes each node: operations by their names, and some that are more than one, or of a table. */
const functions = {
  ...program,
  ids: (i: Number) => ids.at(i),
  grid: (i: Number, j: Number) => grid.at(i, j),
  line: (i: Number) => line.at(i),
  cube: (i: Number, j: Number, k: Number) => cube.at(i, j, k),
  hypercube: (i: Number, j: Number, k: Number, l: Number) => hypercube.at(i, j, k, l),
  int32: (x: program.BoolExpression) => program.astype(x, "int32"),
  small: (i: Number) => program.astype(program.remainder(i, 9), "float32"),
  half: (x: Number) => program.multiply(x, 0.5),
  quotient: (x: Number, y: Number) => program.divide(x, program.add(1, program.abs(y))),
  root: (x: Number) => program.sqrt(program.add(1, program.abs(x))),
  bell: (x: Number) => program.exp(program.negative(program.abs(x))),
} as unknown as Readonly<Record<string, Make>>;

/** The expression that a tree says. */
export function build(
  [name, ...args]: Tree,
  variables: Readonly<Record<string, program.Expression>>,
): program.Expression {
  if (name === "number") return program.add(args[0] as number, 0);
  if (name === "halves") return program.divide(args[0] as number, 2);
  if (name === "scalar") return width;
  return (
    variables[name] ??
    (functions[name] as Make)(...args.map((arg) => build(arg as Tree, variables)))
  );
}
