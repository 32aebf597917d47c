import { reading } from "../options.js";
import type { BoundProgram } from "./bound.js";
import { dependence, dependencesOf } from "./dependences.js";
import { neededNodes } from "./diagonals.js";
import type { ProgramNode } from "./form.js";

/**
 * The program of what a score program adds to the score, if that is all it does and what it adds reads no score: relative
 * biases, ALiBi, tables of biases. A backend adds its results to the scores in place, without a copy of them.
 *
 * @returns null for any other program
 * @throws InvalidInputError where `bound` is none
 */
export function addendProgram(bound: BoundProgram): BoundProgram | null {
  return reading("bound", () => split(bound));
}

function split(bound: BoundProgram): BoundProgram | null {
  const { nodes } = bound.form;
  const last = nodes[nodes.length - 1];
  if (last?.op !== "add") return null;
  const isScore = (n: number): boolean => {
    const node = nodes[n];
    return node?.op === "variable" && node.name === "score";
  };
  const [a, b] = last.args as readonly [number, number];
  const addend = isScore(a) ? b : isScore(b) ? a : -1;
  if (addend < 0 || (dependencesOf(bound.form)[addend] as number) & dependence.score) return null;
  return programOfNode(bound, addend);
}

/** The program whose result is a node of another. */
function programOfNode(bound: BoundProgram, result: number): BoundProgram {
  const above = { ...bound.form, nodes: bound.form.nodes.slice(0, result + 1) };
  const places = new Map<number, number>();
  const nodes: ProgramNode[] = [];
  for (const n of [...neededNodes(above, new Map())].sort((x, y) => x - y)) {
    const node = above.nodes[n] as ProgramNode;
    const args = node.args.map((arg) => places.get(arg) as number);
    places.set(n, nodes.push({ ...node, args }) - 1);
  }
  return { ...bound, form: { ...above, nodes } };
}
