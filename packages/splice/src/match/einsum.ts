import type { GraphNode } from "../graph/graph.js";
import type { LayoutStep } from "./form.js";

/** A product of two tensors over one axis, by the axes of its operands. */
export interface Product {
  readonly left: string;
  readonly right: string;
  /** From the left operand to `[…, rows, size]`. */
  readonly leftSteps: readonly LayoutStep[];
  /** From the right operand to `[…, size, columns]`. */
  readonly rightSteps: readonly LayoutStep[];
  /** For each axis of the result, which of `[…, rows, columns]` it is; null where they are the same. */
  readonly axes: readonly number[] | null;
}

/** MatMul, or an Einsum that is one; undefined for another node, a string for one that is not understood. */
export function readProduct(node: GraphNode): Product | string | undefined {
  const [left, right] = node.inputs as [string, string];
  if (node.operator === "MatMul") {
    return { left, right, leftSteps: [], rightSteps: [], axes: null };
  }
  return node.operator === "Einsum" ? readEinsum(node, left, right) : undefined;
}

function readEinsum(node: GraphNode, first: string, second: string): Product | string {
  const equation = (node.string("equation") ?? "").replaceAll(" ", "");
  const parts = /^([A-Za-z.]+),([A-Za-z.]+)->([A-Za-z.]+)$/.exec(equation);
  if (!parts || node.inputs.length !== 2) return `the Einsum "${equation}" is no product of two`;
  const [, a, b, out] = parts as unknown as [string, string, string, string];
  return (
    inOrder(a, b, out, first, second) ??
    inOrder(b, a, out, second, first) ??
    `the Einsum "${equation}" is no product of matrices`
  );
}

/** With the left operand's own axis standing before the right's in the result. */
function inOrder(
  left: string,
  right: string,
  out: string,
  leftValue: string,
  rightValue: string,
): Product | undefined {
  const [l, r, o] = [left, right, out].map(axesOf) as [string[], string[], string[]];
  if ([l, r, o].some((axes) => new Set(axes).size !== axes.length)) return undefined;
  const summed = l.filter((axis) => r.includes(axis) && !o.includes(axis));
  const size = summed[0];
  if (summed.length !== 1 || size === undefined || size === "…") return undefined;
  // An axis that only one operand has is its rows or columns if it stands last of all in the result.
  const rest = [...l, ...r].filter((axis) => axis !== size);
  if (rest.some((axis) => !o.includes(axis)) || o.some((axis) => !rest.includes(axis))) {
    return undefined;
  }
  const rows = o.filter((axis) => !r.includes(axis)).at(-1);
  const columns = o.filter((axis) => !l.includes(axis)).at(-1);
  if (!rows || !columns || rows === "…" || columns === "…") return undefined;
  if (o.indexOf(rows) > o.indexOf(columns)) return undefined;
  const leading = o.filter((axis) => axis !== rows && axis !== columns);
  if (leading.includes("…") && leading[0] !== "…") return undefined;
  const leftSteps = stepsTo(l, [...leading, rows, size]);
  const rightSteps = stepsTo(r, [...leading, size, columns]);
  const canonical = [...leading, rows, columns];
  const same = canonical.every((axis, i) => axis === o[i]);
  if (!leftSteps || !rightSteps || (!same && leading.includes("…"))) return undefined;
  return {
    left: leftValue,
    right: rightValue,
    leftSteps,
    rightSteps,
    axes: same ? null : o.map((axis) => canonical.indexOf(axis)),
  };
}

function axesOf(labels: string): string[] {
  return labels.replace("...", "…").split("");
}

/** An axis that the operand lacks becomes one of size 1; undefined where an ellipsis would move. */
function stepsTo(from: readonly string[], to: readonly string[]): LayoutStep[] | undefined {
  const missing = to.filter((axis) => !from.includes(axis));
  if (from.includes("…") || to.includes("…")) {
    return from.join() === to.join() ? [] : undefined;
  }
  const present = [...missing, ...from];
  const axes = to.map((axis) => present.indexOf(axis));
  return [
    ...missing.map(() => ({ kind: "unsqueeze" as const, axis: 0 })),
    ...(axes.every((axis, i) => axis === i) ? [] : [{ kind: "transpose" as const, axes }]),
  ];
}
