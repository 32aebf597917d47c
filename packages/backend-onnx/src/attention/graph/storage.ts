import type { FloatDType, KvDType } from "@heed/core";
import {
  type AxisOrder,
  canonicalAxes,
  canonicalOrder,
  storedDims,
} from "../../layout/axis-order.js";
import type { GraphBuilder, Value } from "../../model/builder.js";
import type { Dimension } from "../../model/model.js";
import type { PoolSpec } from "./pool.js";

/**
 * How a graph takes its batch entries from the tensors of a call, for calls whose sequences are not simply the
 * batch, or whose keys and values are stored otherwise than they are computed with.
 */
export interface StorageSpec {
  /**
   * `"whole"`: the tensor is the batch. `"entries"`: some entries of a batch. `"rows"`: rows of the one entry
   * that a ragged batch has.
   */
  readonly queries: "whole" | "entries" | "rows";
  /**
   * `"whole"`: the tensors are the batch, as the host has put it together or as it is given. `"range"`: some
   * entries that lie side by side, and a range of their keys. `"rows"`: as for queries. `"pages"`: pages. `"pool"`: all
   * pages as they lie, which are those of one sequence.
   */
  readonly keys: "whole" | "range" | "rows" | "pages" | "pool";
  /** How products with a pool are made; null unless keys are one. */
  readonly pool: PoolSpec | null;
  /** The type of the elements that the graph is given of keys and values; int8 comes with scales. */
  readonly dtype: KvDType;
  /**
   * Whether scales of int8 are factors of logits and weights, which is faster where there are fewer rows than
   * elements of a key; otherwise of keys and values.
   */
  readonly scalesRows: boolean;
  /** Whether int8 is converted before keys are chosen, since the provider moves no int8. */
  readonly convertsFirst: boolean;
  /** Whether masks and biases have more keys than the batch. */
  readonly masksInPart: boolean;
  /**
   * In how many parts pages are gathered, each just before it is multiplied, so that the copy is still in the
   * processor's cache; 1: all at once.
   */
  readonly parts: number;
}

/** At least one value; a single one unless `StorageSpec.parts` says more. */
export type Parts = readonly [Value, ...Value[]];

/** Keys or values of a graph, of the dtype `compute`. */
export interface KeyValues {
  /** `[batch, kvHeads, keys, size]`: all keys, or one part of them after another. */
  readonly elements: Parts;
  /** `[batch, kvHeads, 1, keyLength]`: factors that the elements still lack; null if they lack none. */
  readonly scales: Value | null;
}

export function storedKeys(
  g: GraphBuilder,
  storage: StorageSpec,
  name: "key" | "value",
  {
    order,
    heads,
    size,
    compute,
    pages,
  }: {
    /** The pages of each part; null where they are not gathered in parts. */
    readonly pages: readonly Value[] | null;
    readonly order: AxisOrder;
    readonly heads: number;
    readonly size: number;
    readonly compute: FloatDType;
  },
): KeyValues {
  const { dtype, keys, convertsFirst, scalesRows } = storage;
  const scaledAlready = (elements: Value): KeyValues => ({ elements: [elements], scales: null });
  const flat = keys === "pages" && isCanonical(order);
  const dims = (size: number): Dimension[] => storageDims(keys, heads, size, flat);
  const chosen = (x: Value, size: number, order: AxisOrder): Value =>
    choose(g, keys, x, size, order, flat);
  const given = g.input(name, dtype, flat ? dims(size) : storedDims(dims(size), order));
  const elements = (): Parts => {
    const whole = (x: Value): Value => g.cast(x, dtype, compute);
    if (pages === null) return [whole(canonical(g, keys, chosen(given, size, order), order))];
    return pages.map((part) => whole(pagesOfHeads(g, given, part, size))) as unknown as Parts;
  };
  if (dtype !== "int8") return { elements: elements(), scales: null };
  const scales = g.input(`${name}Scales`, "float32", dims(1));
  // A scale for each block of as many elements as a key has.
  const scaled = (x: Value, scale: Value, axis: number): Value =>
    g.op("DequantizeLinear", [x, scale], { axis, block_size: size });
  const aligned = (scale: Value): Value =>
    isCanonical(order) ? scale : g.op("Transpose", [scale], { perm: [...order] });
  const axis = flat ? -1 : order.indexOf(3);
  if (convertsFirst) {
    const converted = scaled(given, aligned(scales), axis);
    return scaledAlready(canonical(g, keys, chosen(converted, size, order), order));
  }
  const partScales = chosen(scales, 1, canonicalOrder);
  if (scalesRows) {
    const row = g.op("Transpose", [partScales], { perm: [0, 1, 3, 2] });
    return { elements: elements(), scales: row };
  }
  const part = chosen(given, size, order);
  if (keys === "pages" || keys === "rows") return scaledAlready(scaled(part, partScales, -1));
  // Not behind the Transpose that puts axes right: onnxruntime 1.30 moves that behind DequantizeLinear, and leaves
  // the scales as they were. To be simplified when test/runtime-defects.node.test.ts says so.
  return scaledAlready(canonical(g, keys, scaled(part, aligned(partScales), axis), order));
}

/** Puts the axes right of what {@link choose} has left in their stored order. */
function canonical(g: GraphBuilder, keys: StorageSpec["keys"], x: Value, order: AxisOrder): Value {
  return keys === "pages" || keys === "rows" ? x : canonicalAxes(g, x, order);
}

/** Sizes of keys, values and scales as they are stored; pages are given head by head where that needs no copy. */
function storageDims(
  keys: StorageSpec["keys"],
  heads: number,
  size: number,
  flat: boolean,
): Dimension[] {
  switch (keys) {
    case "whole":
      return ["batch", heads, "keyLength", size];
    case "range":
      return ["storedBatch", heads, "storedKeys", size];
    case "rows":
      return [1, heads, "storedKeys", size];
    case "pool":
      return ["pages", heads, "pageSize", size];
    case "pages":
      return flat ? ["pagesOfHeads", "pageSize", size] : ["pages", heads, "pageSize", size];
  }
}

/**
 * `[batch, heads, keyLength, size]` from what is stored; in the stored order of axes where the keys are whole or a
 * range.
 */
function choose(
  g: GraphBuilder,
  keys: StorageSpec["keys"],
  x: Value,
  size: number,
  order: AxisOrder,
  flat: boolean,
): Value {
  if (keys === "whole" || keys === "pool") return x;
  if (flat) return pagesOfHeads(g, x, pageOfHead(g), size);
  if (keys === "range") {
    const axes = g.integers(order.indexOf(0), order.indexOf(2));
    const [from, to] = [once(g, "rangeStart", "int64", [2]), once(g, "rangeEnd", "int64", [2])];
    return g.op("Slice", [x, from, to, axes]);
  }
  return keys === "pages"
    ? gathered(g, x, order, 0, once(g, "pageOfRow", "int32", ["batch", "pagesOfOne"]), size)
    : gathered(g, x, order, 2, once(g, "keyRows", "int32", ["batch", "keyLength"]), size);
}

function pageOfHead(g: GraphBuilder): Value {
  return once(g, "pageOfHead", "int32", ["batch", "heads", "pagesOfOne"]);
}

/** `[batch, heads, keys, size]` of pages that are given head by head. @param pages `[batch, heads, n]` */
function pagesOfHeads(g: GraphBuilder, x: Value, pages: Value, size: number): Value {
  return g.reshape(g.op("Gather", [x, pages], { axis: 0 }), 0, 0, -1, size);
}

/** The pages of each part, `[batch, heads, n]`; null where all are gathered at once. */
export function pageParts(g: GraphBuilder, { parts }: StorageSpec): readonly Value[] | null {
  return parts === 1 ? null : splitInParts(g, pageOfHead(g), 2, parts, "partPages");
}

/**
 * The parts of a value, along an axis of pages or of keys.
 *
 * @param sizes the model's input that says how long each part is, int64 `[parts]`
 */
export function splitInParts(
  g: GraphBuilder,
  x: Value,
  axis: number,
  parts: number,
  sizes: "partPages" | "partKeys",
): readonly Value[] {
  const names = Array.from({ length: parts }, (_, part) => `part${part}`);
  return g.node("Split", [x, once(g, sizes, "int64", [parts])], names, { axis });
}

/**
 * `[batch, heads, n, size]` of pages (axis 0) or of rows of a single entry (axis 2).
 *
 * @param order of the axes of what is stored
 * @param indices `[batch, m]`
 */
export function gathered(
  g: GraphBuilder,
  x: Value,
  order: AxisOrder,
  axis: 0 | 2,
  indices: Value,
  size: number,
): Value {
  const at = order.indexOf(axis);
  const chosen = g.op("Gather", [x, indices], { axis: at });
  // The axis has become two: the batch and what is chosen for each entry.
  const place = (other: number): number => {
    const index = order.indexOf(other);
    return index > at ? index + 1 : index;
  };
  const rest = axis === 0 ? 2 : 0;
  const perm = [at, place(1), at + 1, place(rest), place(3)];
  const moved = perm.every((from, to) => from === to)
    ? chosen
    : g.op("Transpose", [chosen], { perm });
  return g.reshape(moved, 0, 0, -1, size);
}

/** Whether {@link broadcastPart} leaves out anything of a mask or a bias. */
export function isInPart(
  { queries, masksInPart }: StorageSpec,
  [batch, , , keys]: readonly [boolean, boolean, boolean, boolean],
): boolean {
  return (queries === "entries" && batch) || (masksInPart && keys);
}

/** A mask or a bias with the entries and keys of the batch. */
export function broadcastPart(
  g: GraphBuilder,
  { queries, masksInPart }: StorageSpec,
  x: Value,
  [batch, , , keys]: readonly [boolean, boolean, boolean, boolean],
): Value {
  const part = queries === "entries" && batch ? entriesOf(g, x) : x;
  if (!masksInPart || !keys) return part;
  const [from, to] = [once(g, "maskStart", "int64", [1]), once(g, "maskEnd", "int64", [1])];
  return g.op("Slice", [part, from, to, g.integers(3)]);
}

/** The entries of a tensor that the batch has. */
export function entriesOf(g: GraphBuilder, x: Value): Value {
  return g.op("Gather", [x, once(g, "entries", "int32", ["batch"])], { axis: 0 });
}

function isCanonical(order: AxisOrder): boolean {
  return order.every((axis, i) => axis === i);
}

/** An input that several nodes read. */
export function once(
  g: GraphBuilder,
  name: string,
  dtype: "int32" | "int64",
  dims: readonly Dimension[],
): Value {
  return g.has(name) ? name : g.input(name, dtype, dims);
}
