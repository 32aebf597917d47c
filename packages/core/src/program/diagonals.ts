import type { BoundProgram } from "./bound.js";
import { dependence, dependencesOf } from "./dependences.js";
import type { ProgramForm, ProgramNode } from "./form.js";
import { rewriteProgram } from "./rewrite.js";

/** Differences on which values may depend: of positions, or of indices. */
export type DiagonalKind = "position" | "index";

/**
 * Nodes of a form whose values depend on a key and a query by the difference key − query alone (and on the batch entry), and that
 * others read: relative biases, windows, ALiBi's distance. On a tile of consecutive keys, such a value is that of the row
 * before at the next key.
 *
 * @returns the kind of each such node, none of which is in the closure of another
 */
export function diagonalsOf(form: ProgramForm): ReadonlyMap<number, DiagonalKind> {
  const { nodes } = form;
  const bits = dependencesOf(form);
  const kinds: (DiagonalKind | "constant" | null)[] = [];
  for (const [n, node] of nodes.entries()) kinds.push(kindOf(n, node));
  const last = nodes.length - 1;
  const found = new Map<number, DiagonalKind>();
  const visited = new Set<number>();
  const visit = (n: number): void => {
    if (visited.has(n)) return;
    visited.add(n);
    const kind = kinds[n];
    if (kind === "position" || kind === "index") {
      found.set(n, kind);
      return;
    }
    for (const arg of (nodes[n] as ProgramNode).args) visit(arg);
  };
  visit(last);
  return found;

  function kindOf(n: number, node: ProgramNode): DiagonalKind | "constant" | null {
    if (((bits[n] as number) & ~dependence.batch) === 0) return "constant";
    const difference = differenceOf(nodes, node);
    if (difference) return difference;
    let all: DiagonalKind | "constant" | null = "constant";
    for (const arg of node.args) {
      const kind = kinds[arg] as DiagonalKind | "constant" | null;
      if (all === null || kind === null) return null;
      if (kind === "constant") continue;
      if (all !== "constant" && all !== kind) return null;
      all = kind;
    }
    // A variable, which is no constant.
    return node.args.length === 0 ? null : all;
  }
}

/** The nodes that a form's result needs, if those of `known` need nothing. */
export function neededNodes(
  { nodes }: ProgramForm,
  known: ReadonlyMap<number, unknown>,
): ReadonlySet<number> {
  const needed = new Set<number>();
  const visit = (n: number): void => {
    if (needed.has(n)) return;
    needed.add(n);
    if (known.has(n)) return;
    for (const arg of (nodes[n] as ProgramNode).args) visit(arg);
  };
  visit(nodes.length - 1);
  return needed;
}

/** The kind of a difference of a query and a key: of either sign. */
function differenceOf(nodes: readonly ProgramNode[], node: ProgramNode): DiagonalKind | null {
  if (node.op !== "subtract") return null;
  const [a, b] = node.args.map((arg) => nodes[arg] as ProgramNode);
  if (a?.op !== "variable" || b?.op !== "variable") return null;
  const names = `${a.name} ${b.name}`;
  if (names === "key query" || names === "query key") return "position";
  return names === "keyIndex queryIndex" || names === "queryIndex keyIndex" ? "index" : null;
}

/** The program of a node that {@link diagonalsOf} found: `keyIndex` is key − query in it. */
export function diagonalProgram(bound: BoundProgram, result: number): BoundProgram {
  const { nodes } = bound.form;
  const variable: ProgramNode = { op: "variable", type: "int32", args: [], name: "keyIndex" };
  return rewriteProgram(bound, result, (n, { put, copy }) => {
    const node = nodes[n] as ProgramNode;
    if (!differenceOf(nodes, node)) return copy(n);
    const place = put(variable);
    const { name } = nodes[node.args[0] as number] as ProgramNode & { readonly name: string };
    if (!name.startsWith("query")) return place;
    return put({ op: "negative", type: "int32", args: [place] });
  });
}
