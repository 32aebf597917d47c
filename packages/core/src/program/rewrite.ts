import type { BoundProgram } from "./bound.js";
import type { ProgramNode } from "./form.js";

/** The nodes of a program that is made from another one's. */
export interface Rewriting {
  /** The nodes that were put so far. */
  readonly nodes: readonly ProgramNode[];
  /** Adds a node, and returns its index. */
  readonly put: (node: ProgramNode) => number;
  /** The index of whatever stands for a node of the other program; it is made once. */
  readonly take: (n: number) => number;
  /** Adds a node of the other program with operands that were taken. */
  readonly copy: (n: number) => number;
}

/**
 * A program made from another one's nodes, from its result on.
 *
 * @param result the node whose value is the result
 * @param replace returns the index of what stands for a node
 */
export function rewriteProgram(
  bound: BoundProgram,
  result: number,
  replace: (n: number, rewriting: Rewriting) => number,
): BoundProgram {
  const { form } = bound;
  const nodes: ProgramNode[] = [];
  const places = new Map<number, number>();
  const put = (node: ProgramNode): number => nodes.push(node) - 1;
  const take = (n: number): number => {
    let place = places.get(n);
    if (place === undefined) {
      place = replace(n, rewriting);
      places.set(n, place);
    }
    return place;
  };
  const copy = (n: number): number => {
    const node = form.nodes[n] as ProgramNode;
    return put({ ...node, args: node.args.map(take) });
  };
  const rewriting: Rewriting = { nodes, put, take, copy };
  const last = take(result);
  // The result is the last node, also if it is an operand of others.
  if (last !== nodes.length - 1) put(nodes[last] as ProgramNode);
  return { ...bound, form: { ...form, nodes } };
}
