import type { BoundProgram } from "../bound.js";
import type { ProgramNode } from "../form.js";
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
  const { form } = bound;
  const nodes: ProgramNode[] = [];
  const places = new Map<number, number>();
  const put = (node: ProgramNode): number => nodes.push(node) - 1;
  const take = (n: number): number => {
    const known = places.get(n);
    if (known !== undefined) return known;
    const place = simplified(form.nodes[n] as ProgramNode);
    places.set(n, place);
    return place;
  };
  const simplified = (node: ProgramNode): number => {
    if (node.op === "not") return oppositeOf(node.args[0] as number);
    if (node.op === "equal" || node.op === "notEqual") {
      const [a = 0, b = 0] = node.args;
      for (const [value, other] of [
        [a, b],
        [b, a],
      ] as const) {
        const constant = form.nodes[other] as ProgramNode;
        if (constant.op !== "constant" || constant.type !== "bool") continue;
        return (constant.value !== 0) === (node.op === "equal") ? take(value) : oppositeOf(value);
      }
    }
    return put({ ...node, args: node.args.map(take) });
  };
  const oppositeOf = (n: number): number => {
    const place = take(n);
    const node = nodes[place] as ProgramNode;
    if (node.op === "not") return node.args[0] as number;
    const opposite = opposites.get(node.op);
    if (opposite !== undefined && isTotal(node, nodes))
      return put({ ...node, op: opposite } as ProgramNode);
    return put({ op: "not", type: "bool", args: [place] });
  };
  const last = take(form.nodes.length - 1);
  // The result is the last node, also if it is an operand of others.
  if (last !== nodes.length - 1) put(nodes[last] as ProgramNode);
  return { ...bound, form: { ...form, nodes } };
}

/** Whether one of a comparison and its opposite holds. */
function isTotal({ op, args }: ProgramNode, nodes: readonly ProgramNode[]): boolean {
  if (op === "equal" || op === "notEqual") return true;
  return (nodes[args[0] as number] as ProgramNode).type !== "float32";
}
