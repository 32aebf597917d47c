import { type HostTensor, tensor } from "@heed/core";
import * as program from "@heed/core/program";
import * as v from "valibot";
import { Random } from "../../../calls/random.js";

/** An expression as data, so that it shrinks and prints: a node's name and what it is of. */
export type Tree = readonly [name: string, ...args: (Tree | number)[]];

const { scalar, table } = program;

const ids = table(tensor(Int32Array.of(0, 0, 1, 1, 1, 2, 3, 3, 9, 3, 4, -5, 5), [13]));
const grid = table(tensor(Int32Array.of(4, 1, 2, 8, 5, 7, 3, 0), [2, 4]));
const floats = (...shape: number[]) =>
  table(new Random(shape.join()).tensor(shape, "float32") as HostTensor<"float32">);
const [line, cube, hypercube] = [floats(11), floats(2, 5, 3), floats(2, 2, 3, 4)];
const width = scalar(5);

type Make = (...args: readonly program.Expression[]) => program.Expression;
type Number = program.NumberExpression;
type Variables = Readonly<Record<string, program.Expression>>;

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

/** The mask program that a tree says. */
export function maskOfTree(tree: Tree): program.MaskProgram {
  return program.maskMod(
    (variables) => build(tree, variables as unknown as Variables) as program.BoolExpression,
  );
}

/** The score program that a tree says. */
export function scoreOfTree(tree: Tree): program.ScoreProgram {
  return program.scoreMod(
    (variables) => build(tree, variables as unknown as Variables) as program.NumberExpression,
  );
}

/** Checks the form of a tree that was read from JSON. */
export const treeSchema: v.GenericSchema<unknown, Tree> = v.custom<Tree>(isTree);

function isTree(value: unknown): value is Tree {
  if (!Array.isArray(value)) return false;
  const [name, ...args] = value as unknown[];
  return typeof name === "string" && args.every((arg) => typeof arg === "number" || isTree(arg));
}

/** @throws RangeError for a name that no node has */
function build([name, ...args]: Tree, variables: Variables): program.Expression {
  if (name === "number") return program.add(args[0] as number, 0);
  if (name === "halves") return program.divide(args[0] as number, 2);
  if (name === "scalar") return width;
  if (name in variables) return variables[name] as program.Expression;
  if (!Object.hasOwn(functions, name)) throw new RangeError(`no node of programs is a ${name}`);
  return (functions[name] as Make)(...args.map((arg) => build(arg as Tree, variables)));
}
