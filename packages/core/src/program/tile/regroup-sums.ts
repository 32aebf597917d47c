import type { BoundProgram } from "../bound.js";
import { dependencesOf } from "../dependences.js";
import type { ProgramForm, ProgramNode } from "../form.js";
import { type Rewriting, rewriteProgram } from "../rewrite.js";
import { type Space, spaceOf } from "./values.js";

/** A sum of int32 nodes by their factors, and a constant. */
interface Sum {
  readonly factors: ReadonlyMap<number, number>;
  readonly constant: number;
}

/**
 * The same program with int32 sums regrouped, so that what depends on rows alone and on keys alone is added up before both
 * meet: (a − b) · 15 + (c − d), with a and c of the row and b and d of the key, is one addition for each score then. int32
 * wraps, so that the order of additions and multiplications by constants does not matter.
 *
 * @param whole nodes that are computed as they are
 */
export function regroupSums(
  bound: BoundProgram,
  whole: ReadonlyMap<number, unknown>,
): BoundProgram {
  const { form } = bound;
  const spaces = [...dependencesOf(form)].map(spaceOf);
  return rewriteProgram(bound, form.nodes.length - 1, (n, rewriting) => {
    const sum = whole.has(n) || spaces[n] !== "scores" ? null : sumOf(form, n, whole);
    return sum ? putSum(sum, spaces, rewriting) : rewriting.copy(n);
  });
}

function putSum(
  { factors, constant }: Sum,
  spaces: readonly Space[],
  { put, take }: Rewriting,
): number {
  const parts: Record<"rows" | "keys" | "scores", number | null> = {
    rows: constant === 0 ? null : constantNode(put, constant),
    keys: null,
    scores: null,
  };
  for (const [n, factor] of factors) {
    const space = spaces[n] === "batch" ? "rows" : (spaces[n] as "rows" | "keys" | "scores");
    const place = take(n);
    const term = factor === 1 ? place : int32(put, "multiply", place, constantNode(put, factor));
    const part = parts[space];
    parts[space] = part === null ? term : int32(put, "add", part, term);
  }
  const given = [parts.rows, parts.keys, parts.scores].filter((part) => part !== null);
  return given.reduce((a, b) => int32(put, "add", a, b));
}

function constantNode(put: Rewriting["put"], value: number): number {
  return put({ op: "constant", type: "int32", args: [], value });
}

function int32(put: Rewriting["put"], op: "add" | "multiply", a: number, b: number): number {
  return put({ op, type: "int32", args: [a, b] });
}

/** A node as a sum; null unless two of its operations are sums or products of constants. */
function sumOf(
  { nodes }: ProgramForm,
  root: number,
  whole: ReadonlyMap<number, unknown>,
): Sum | null {
  // Operands come before what reads them: a node's factor is known when its turn comes.
  const pending = new Map<number, number>([[root, 1]]);
  const factors = new Map<number, number>();
  let constant = 0;
  let operations = 0;
  const add = (n: number, factor: number): void => {
    pending.set(n, ((pending.get(n) ?? 0) + factor) | 0);
  };
  for (let n = root; n >= 0; n--) {
    const factor = pending.get(n) ?? 0;
    if (factor === 0) continue;
    const node = nodes[n] as ProgramNode;
    const [a, b] = node.args as [number, number];
    operations++;
    if (node.type !== "int32" || whole.has(n)) {
      operations--;
      factors.set(n, factor);
    } else if (node.op === "constant") {
      operations--;
      constant = (constant + Math.imul(factor, node.value)) | 0;
    } else if (node.op === "add") {
      add(a, factor);
      add(b, factor);
    } else if (node.op === "subtract") {
      add(a, factor);
      add(b, -factor | 0);
    } else if (node.op === "negative") {
      add(a, -factor | 0);
    } else if (node.op === "multiply" && isConstant(nodes[a])) {
      add(b, Math.imul(factor, nodes[a].value));
    } else if (node.op === "multiply" && isConstant(nodes[b])) {
      add(a, Math.imul(factor, nodes[b].value));
    } else {
      operations--;
      factors.set(n, factor);
    }
  }
  return operations < 2 || factors.size === 0 ? null : { factors, constant };
}

function isConstant(
  node: ProgramNode | undefined,
): node is ProgramNode & { readonly op: "constant" } {
  return node?.op === "constant";
}
