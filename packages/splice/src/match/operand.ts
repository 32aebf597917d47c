import type { Folder } from "../graph/fold.js";
import type { GraphNode, ModelGraph } from "../graph/graph.js";
import type { LayoutStep, Operand } from "./form.js";

/**
 * Follows an operand up the graph, past what attention itself can do: changes of layout, and constant factors of
 * queries and keys.
 */
export function readOperand(
  graph: ModelGraph,
  folder: Folder,
  operand: string,
  spelling: string[],
  name: string,
  given: readonly LayoutStep[] = [],
): Operand {
  let value = operand;
  let factor = 1;
  const steps: LayoutStep[] = [...given];
  for (;;) {
    const node = graph.producer(value);
    const before = node && (past(folder, node) ?? repeated(graph, folder, node));
    if (!before || (before.factor !== undefined && name === "value"))
      return { value, steps, factor };
    if (before.factor !== undefined) {
      factor *= before.factor;
      spelling.push(`scale by ${node.operator} on the ${name}`);
    }
    if (before.step) {
      steps.unshift(before.step);
      const words = before.step.kind === "repeat" ? "heads repeated" : "Transpose";
      spelling.push(`${name}: ${words}`);
    }
    value = before.value;
  }
}

interface Before {
  readonly value: string;
  readonly factor?: number;
  readonly step?: LayoutStep;
}

function past(folder: Folder, node: GraphNode): Before | undefined {
  const [a, b] = node.inputs as [string, string];
  switch (node.operator) {
    case "Identity":
      return { value: a };
    case "Transpose": {
      const axes = node.integers("perm");
      return axes && { value: a, step: { kind: "transpose", axes } };
    }
    case "Mul": {
      const left = factorOf(folder, a);
      const right = factorOf(folder, b);
      if (right !== undefined) return { value: a, factor: right };
      return left === undefined ? undefined : { value: b, factor: left };
    }
    case "Div": {
      const by = factorOf(folder, b);
      return by === undefined ? undefined : { value: a, factor: 1 / by };
    }
    default:
      return undefined;
  }
}

/** A constant factor of a tensor: one number without axes of its own that could add to the tensor's. */
export function factorOf(folder: Folder, name: string): number | undefined {
  const found = folder.scalar(name);
  if (!found?.float || found.dims.length > 2) return undefined;
  const factor = found.data[0] as number;
  return Number.isFinite(factor) && factor !== 0 ? factor : undefined;
}

/**
 * Heads repeated one after another: Reshape of Expand, Tile or Concat along an axis of 1 that stands right
 * behind the heads. An axis before them would put whole groups one after another, which is another order.
 */
function repeated(graph: ModelGraph, folder: Folder, node: GraphNode): Before | undefined {
  if (node.operator !== "Reshape") return undefined;
  const spread = graph.made(node.inputs[0], "Expand", "Tile", "Concat");
  if (!spread) return undefined;
  const single = spread.inputs[0] as string;
  const unsqueeze = graph.made(single, "Unsqueeze");
  if (!unsqueeze) return undefined;
  const axis = axisOfOne(folder, unsqueeze);
  const sizes = folder.constant(node.inputs[1]);
  if (axis === undefined || axis < 2 || axis > 3 || sizes?.data.length !== 4) return undefined;
  if (!spreadsOnly(folder, spread, axis)) return undefined;
  const known = Array.from(sizes.data);
  const shape = known.every((one) => one > 0) ? known : (node.inputs[1] as string);
  return {
    value: unsqueeze.inputs[0] as string,
    step: { kind: "repeat", axis: axis - 1, shape },
  };
}

/** The axis that is put in, of the five that there are then. */
function axisOfOne(folder: Folder, node: GraphNode): number | undefined {
  const axes = node.integers("axes") ?? folder.integers(node.inputs[1]);
  const axis = axes?.length === 1 ? (axes[0] as number) : undefined;
  return axis !== undefined && axis < 0 ? axis + 5 : axis;
}

/** Whether a tensor of rank 5 is repeated along one axis alone. */
function spreadsOnly(folder: Folder, node: GraphNode, axis: number): boolean {
  if (node.operator === "Concat") {
    const along = node.integer("axis") ?? 0;
    return (along < 0 ? along + 5 : along) === axis && new Set(node.inputs).size === 1;
  }
  const sizes = folder.constant(node.inputs[1]);
  if (sizes?.data.length !== 5) return false;
  // Expand cannot change an axis that is not 1: the sizes of heads and elements stay, also where the file
  // does not know them. Tile repeats whatever it is told.
  return (
    node.operator === "Expand" || Array.from(sizes.data).every((n, i) => i === axis || n === 1)
  );
}
