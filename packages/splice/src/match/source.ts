import type { GraphNode, ModelGraph } from "../graph/graph.js";

/** Nodes that are walked through on the way from an operand to the tensor that it is projected from. */
const most = 64;

/**
 * Whether two operands are projected from the same tensor: the inputs of the first products with a weight on the
 * way up. Null where there is none on the way of either.
 */
export function kindOf(graph: ModelGraph, query: string, key: string): "self" | "cross" | null {
  const [a, b] = [sources(graph, query), sources(graph, key)];
  if (a.size === 0 || b.size === 0) return null;
  return [...a].some((name) => b.has(name)) ? "self" : "cross";
}

function sources(graph: ModelGraph, value: string): Set<string> {
  const found = new Set<string>();
  const seen = new Set<string>();
  const waiting = [value];
  for (let name = waiting.shift(); name !== undefined && seen.size < most; name = waiting.shift()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const node = graph.producer(name);
    if (!node) continue;
    const projected = projectedFrom(graph, node);
    if (projected !== null) found.add(plain(graph, projected));
    else waiting.push(...node.inputs.filter((input) => input !== "" && !graph.isWeight(input)));
  }
  return found;
}

function projectedFrom(graph: ModelGraph, node: GraphNode): string | null {
  if (
    !["MatMul", "Gemm", "Conv", "MatMulInteger", "com.microsoft.MatMulNBits"].includes(
      node.operator,
    )
  ) {
    return null;
  }
  const [input, weight] = node.inputs as [string, string];
  return weightLike(graph, weight) ? input : null;
}

/** A weight, or one that is converted from how it is stored. */
function weightLike(graph: ModelGraph, name: string): boolean {
  if (graph.isWeight(name)) return true;
  const node = graph.producer(name);
  if (!node) return false;
  return (
    node.operator === "Constant" ||
    node.inputs.every((input) => input === "" || weightLike(graph, input))
  );
}

/** The tensor behind changes that keep it the same. */
function plain(graph: ModelGraph, name: string): string {
  const node = graph.made(name, "Identity", "Cast", "Reshape", "Transpose", "Flatten", "Dropout");
  return node?.inputs[0] ? plain(graph, node.inputs[0]) : name;
}
