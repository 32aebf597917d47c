import { dependence, dependencesOf } from "../dependences.js";
import { type DiagonalKind, neededNodes } from "../diagonals.js";
import type { ProgramForm, ProgramNode } from "../form.js";
import { type Space, spaceOf } from "./values.js";

/** The places of the values of a tile program's nodes, and the order in which they are computed. */
export interface Schedule {
  /** The nodes that are computed, in order. */
  readonly order: readonly number[];
  readonly spaces: readonly Space[];
  /** Nodes whose values replace the scores where these are. */
  readonly inPlace: ReadonlySet<number>;
  /** Nodes that wait for the one that reads them, since both may be one loop. */
  readonly waiting: ReadonlySet<number>;
}

/**
 * Plans a form: values take the place of the scores as soon as nothing reads those, and an operand that nothing else
 * reads waits for its reader if one loop may do both.
 */
export function scheduleOf(
  form: ProgramForm,
  diagonals: ReadonlyMap<number, DiagonalKind>,
): Schedule {
  const { nodes, kind } = form;
  const bits = dependencesOf(form);
  const spaces = [...bits].map(spaceOf);
  const needed = neededNodes(form, diagonals);
  const order = [...needed].sort((a, b) => a - b);
  const argsOf = (n: number): readonly number[] =>
    diagonals.has(n) ? [] : (nodes[n] as ProgramNode).args;
  const readers = new Map<number, number[]>();
  for (const n of order) {
    for (const arg of argsOf(n)) readers.set(arg, [...(readers.get(arg) ?? []), n]);
  }
  const waiting = new Set<number>();
  for (const n of order) {
    const [reader, ...others] = readers.get(n) ?? [];
    if (reader === undefined || others.length > 0 || spaces[n] !== "scores") continue;
    if (mayWait(nodes[n] as ProgramNode, nodes[reader] as ProgramNode, diagonals.has(n))) {
      waiting.add(n);
    }
  }
  /** Whether a node is the product of a number and a list that has taken the place of the scores. */
  const scalesScores = (n: number): boolean => {
    const { op, args } = nodes[n] as ProgramNode;
    if (op !== "multiply" || diagonals.has(n)) return false;
    const list = args.find((arg) => (bits[arg] as number) & dependence.score);
    const number = args.find((arg) => spaces[arg] === "rows" || spaces[arg] === "batch");
    return list !== undefined && number !== undefined && !waiting.has(list);
  };
  for (const n of order) {
    const { op, args } = nodes[n] as ProgramNode;
    if (op !== "add" && op !== "subtract") continue;
    // One operand is where the other is added to it: the one that waits is the last, unless it is no table.
    const [first, second] = args.filter((arg) => waiting.has(arg));
    if (first === undefined || second === undefined) continue;
    if (scalesScores(first) || (op === "add" && scalesScores(second))) continue;
    const prefersFirst = op === "add" && (nodes[first] as ProgramNode).op === "table";
    waiting.delete(prefersFirst ? second : first);
  }
  // A node that waits reads its operands when its reader runs.
  const time = (n: number): number =>
    waiting.has(n) ? time((readers.get(n) as number[])[0] as number) : n;
  const lastRead = (n: number): number => Math.max(n, ...(readers.get(n) ?? []).map(time));
  const inPlace = new Set<number>();
  if (kind === "score") {
    const score = nodes.findIndex((node) => node.op === "variable" && node.name === "score");
    let free = needed.has(score) ? lastRead(score) : -1;
    for (const n of order) {
      const { op, type } = nodes[n] as ProgramNode;
      const isComputed = op !== "variable" && !diagonals.has(n) && !waiting.has(n);
      if (!isComputed || type !== "float32" || spaces[n] !== "scores" || free > n) continue;
      inPlace.add(n);
      free = lastRead(n);
    }
  }
  return { order, spaces, inPlace, waiting };
}

/** Whether a loop exists that may compute a node and its reader at once. */
function mayWait(node: ProgramNode, reader: ProgramNode, isDiagonal: boolean): boolean {
  switch (reader.op) {
    case "add":
      if (reader.type !== "float32") return false;
      return isDiagonal || node.op === "multiply" || node.op === "table";
    case "subtract":
      return reader.type === "float32" && (isDiagonal || node.op === "multiply");
    case "multiply":
      return reader.type === "float32" && (isDiagonal || node.op === "tanh");
    case "tanh":
      return node.op === "multiply" || node.op === "divide";
    case "where":
      return comparisons.has(node.op);
    case "table":
    case "remainder":
      return node.op === "add" && node.type === "int32";
    default:
      return false;
  }
}

const comparisons: ReadonlySet<string> = new Set(
  "equal notEqual less lessEqual greater greaterEqual".split(" "),
);
