import { reading } from "../options.js";
import type { ProgramForm, ProgramNode } from "./form.js";

/** Indices that a value of a program changes with, as bits. `query` and `key` stand for positions and indices. */
export const dependence = { batch: 1, head: 2, query: 4, key: 8, score: 16 } as const;

/**
 * Indices that each node of a form changes with, so that backends compute what is the same for a row, a key or a
 * batch entry once for it: the union of its operands' bits. Constants, scalars and all that follows from them have
 * none.
 *
 * @throws InvalidInputError where `form` is none
 */
export function dependencesOf(form: ProgramForm): Uint8Array {
  return reading("form", () => unite(form));
}

function unite(form: ProgramForm): Uint8Array {
  const bits = new Uint8Array(form.nodes.length);
  for (const [n, node] of form.nodes.entries()) {
    let own = ownDependence(node);
    for (const arg of node.args) own |= bits[arg] as number;
    bits[n] = own;
  }
  return bits;
}

function ownDependence(node: ProgramNode): number {
  if (node.op !== "variable") return 0;
  switch (node.name) {
    case "queryIndex":
      return dependence.query;
    case "keyIndex":
      return dependence.key;
    default:
      return dependence[node.name];
  }
}
