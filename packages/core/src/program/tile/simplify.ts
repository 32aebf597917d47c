import type { BoundProgram } from "../bound.js";
import type { ProgramNode } from "../form.js";
import { type Rewriting, rewriteProgram } from "../rewrite.js";
import type { OperationName } from "../types.js";

/** Comparisons that say the opposite. Those of floats other than (not) equal have none: NaN is neither less nor greater. */
const opposites: ReadonlyMap<string, OperationName> = new Map([
  ["equal", "notEqual"],
  ["notEqual", "equal"],
  ["less", "greaterEqual"],
  ["greaterEqual", "less"],
  ["lessEqual", "greater"],
  ["greater", "lessEqual"],
]);

/**
 * The same program with fewer operations on booleans: a bool that is compared with a constant is itself or its opposite, and
 * the opposite of a comparison is another comparison.
 */
export function simplifyBools(bound: BoundProgram): BoundProgram {
  const { nodes } = bound.form;
  return rewriteProgram(bound, nodes.length - 1, (n, rewriting) => {
    const { op, args } = nodes[n] as ProgramNode;
    if (op === "not") return oppositeOf(args[0] as number, rewriting);
    if (op === "equal" || op === "notEqual") {
      const [a, b] = args as [number, number];
      for (const [value, other] of [
        [a, b],
        [b, a],
      ] as const) {
        const constant = nodes[other] as ProgramNode;
        if (constant.op !== "constant" || constant.type !== "bool") continue;
        const isSame = (constant.value !== 0) === (op === "equal");
        return isSame ? rewriting.take(value) : oppositeOf(value, rewriting);
      }
    }
    return rewriting.copy(n);
  });
}

function oppositeOf(n: number, { nodes, put, take }: Rewriting): number {
  const place = take(n);
  const node = nodes[place] as ProgramNode;
  if (node.op === "not") return node.args[0] as number;
  const opposite = opposites.get(node.op);
  if (opposite !== undefined && isTotal(node, nodes)) {
    return put({ ...node, op: opposite } as ProgramNode);
  }
  return put({ op: "not", type: "bool", args: [place] });
}

/** Whether one of a comparison and its opposite holds. */
function isTotal({ op, args }: ProgramNode, nodes: readonly ProgramNode[]): boolean {
  if (op === "equal" || op === "notEqual") return true;
  return (nodes[args[0] as number] as ProgramNode).type !== "float32";
}
