import type { Folder } from "../graph/fold.js";
import type { ModelGraph } from "../graph/graph.js";
import type { Sizes } from "../graph/sizes.js";
import type { Operand } from "./form.js";

/**
 * Number of heads where batch and heads are one axis of the query, `[batch·heads, length, size]`: from the
 * reshape that merges them, or from the width of what it merges. It only decides how weights are shown:
 * attention is the same however such an axis is divided. Null where the graph does not say it.
 */
export function headsOf(
  graph: ModelGraph,
  folder: Folder,
  sizes: Sizes,
  { value }: Operand,
): number | null {
  const merge = graph.made(value, "Reshape");
  if (!merge) return null;
  const before = sizes.of(merge.inputs[0]);
  if (before?.length === 4) return whole(before[1]);
  const size = folder.constant(merge.inputs[1])?.data;
  // `[length, batch, heads·size]` as `[length, batch·heads, size]`, as torch.nn.MultiheadAttention has it.
  const width = before?.length === 3 ? before[2] : undefined;
  return size && width !== undefined ? whole(width / (size[size.length - 1] as number)) : null;
}

function whole(heads: number | undefined): number | null {
  return heads !== undefined && Number.isInteger(heads) && heads > 0 ? heads : null;
}
