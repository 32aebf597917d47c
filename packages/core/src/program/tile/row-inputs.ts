import type { DiagonalKind } from "../diagonals.js";
import type { ProgramForm, ProgramNode } from "../form.js";
import { mostDivisor } from "./remainder.js";
import type { Schedule } from "./schedule.js";

/** A node whose number of a row decides which values the row's scores have. */
export interface RowInputNode {
  readonly node: number;
  /** Present if the number is only added to a number of the key, and the remainder by the divisor taken of that sum. */
  readonly sum: { readonly keys: number; readonly divisor: number } | null;
}

/**
 * The nodes of rows that a form's values of scores are computed from.
 *
 * @returns them, and the queries that values on diagonals depend on
 */
export function rowInputsOf(
  form: ProgramForm,
  { order, spaces }: Schedule,
  diagonals: ReadonlyMap<number, DiagonalKind>,
): { readonly nodes: readonly RowInputNode[]; readonly queries: ReadonlySet<DiagonalKind> } {
  const queries = new Set<DiagonalKind>();
  const plain = new Set<number>();
  const readersOf = (n: number): readonly number[] =>
    order.filter((reader) => !diagonals.has(reader) && nodeOf(form, reader).args.includes(n));
  const sums = order
    .map((n) => sumOfRemainder(form, n, spaces))
    .filter((sum) => sum !== null && readersOf(sum.add).length === 1) as readonly RemainderOfSum[];
  const added = new Set(sums.map(({ add }) => add));
  for (const n of order) {
    const kind = diagonals.get(n);
    if (kind !== undefined) queries.add(kind);
    else if (spaces[n] === "scores" && !added.has(n)) {
      for (const arg of nodeOf(form, n).args) if (spaces[arg] === "rows") plain.add(arg);
    }
  }
  const last = form.nodes.length - 1;
  if (spaces[last] === "rows") plain.add(last);
  const nodes = [...plain].map((node): RowInputNode => ({ node, sum: null }));
  for (const { rows, keys, divisor } of sums) {
    if (!plain.has(rows)) nodes.push({ node: rows, sum: { keys, divisor } });
  }
  return { nodes, queries };
}

/** A node's sum of a row's and a key's number, of which only the remainder by a divisor matters. */
interface RemainderOfSum {
  readonly add: number;
  readonly rows: number;
  readonly keys: number;
  readonly divisor: number;
}

/** The sum of a row's and a key's number of which a node is the remainder by a positive constant; null for others. */
function sumOfRemainder(
  form: ProgramForm,
  n: number,
  spaces: Schedule["spaces"],
): RemainderOfSum | null {
  const { op, type, args } = nodeOf(form, n);
  if (op !== "remainder" || type !== "int32" || spaces[n] !== "scores") return null;
  const [add, by] = args as [number, number];
  const constant = nodeOf(form, by);
  if (constant.op !== "constant" || !(constant.value > 0 && constant.value <= mostDivisor)) {
    return null;
  }
  const sum = nodeOf(form, add);
  if (sum.op !== "add") return null;
  const rows = sum.args.find((arg) => spaces[arg] === "rows");
  const keys = sum.args.find((arg) => spaces[arg] === "keys");
  if (rows === undefined || keys === undefined) return null;
  return { add, rows, keys, divisor: constant.value };
}

function nodeOf({ nodes }: ProgramForm, n: number): ProgramNode {
  return nodes[n] as ProgramNode;
}
