import type { FloatDType } from "@heed/core";
import { canonicalAxes, storedDims } from "../../layout/axis-order.js";
import type { GraphBuilder, Value } from "../../model/builder.js";
import type { Dimension } from "../../model/model.js";
import type { BroadcastAxes } from "./axes.js";
import type { Arithmetic, GraphSpec } from "./spec.js";
import {
  broadcastPart,
  entriesOf,
  gathered,
  isInPart,
  type KeyValues,
  once,
  type Parts,
  pageParts,
  type StorageSpec,
  storedKeys,
} from "./storage.js";

export interface MainValues {
  readonly query: Value;
  /** `[batch, kvHeads, keys, size]`: all keys, or one part of them after another. */
  readonly key: Parts;
  readonly value: Parts;
  /** `[batch, kvHeads, 1, keyLength]`: factors that keys and values still lack; null if they lack none. */
  readonly keyScales: Value | null;
  readonly valueScales: Value | null;
}

export function mainInputs(g: GraphBuilder, spec: GraphSpec, compute: FloatDType): MainValues {
  const { queryHeads, kvHeads, headDim, valueDim, dtype, order, storage } = spec;
  const input = (name: "query" | "key" | "value", dims: readonly Dimension[]): Value => {
    const stored = g.input(name, dtype, storedDims(dims, order[name]));
    const canonical = canonicalAxes(g, stored, order[name]);
    return g.cast(canonical, dtype, compute);
  };
  const pages = storage && pageParts(g, storage);
  const keys = (name: "key" | "value", size: number): KeyValues =>
    storage
      ? storedKeys(g, storage, name, { order: order[name], heads: kvHeads, size, compute, pages })
      : { elements: [input(name, ["batch", kvHeads, "keyLength", size])], scales: null };
  const query = storage
    ? storedQuery(g, spec, storage, compute)
    : input("query", ["batch", queryHeads, "queryLength", headDim]);
  const key = keys("key", headDim);
  const value = keys("value", valueDim);
  return {
    query,
    key: key.elements,
    value: value.elements,
    keyScales: key.scales,
    valueScales: value.scales,
  };
}

function storedQuery(
  g: GraphBuilder,
  { queryHeads, headDim, dtype, order }: GraphSpec,
  { queries }: StorageSpec,
  compute: FloatDType,
): Value {
  const batch = { whole: "batch", entries: "allEntries", rows: 1 }[queries];
  const length = queries === "rows" ? "allRows" : "queryLength";
  const dims = storedDims([batch, queryHeads, length, headDim], order.query);
  const given = g.input("query", dtype, dims);
  if (queries === "rows") {
    const rows = once(g, "queryRows", "int32", ["batch", "queryLength"]);
    return g.cast(gathered(g, given, order.query, 2, rows, headDim), dtype, compute);
  }
  const whole = canonicalAxes(g, given, order.query);
  return g.cast(queries === "entries" ? entriesOf(g, whole) : whole, dtype, compute);
}

/** The mask of a spec, broadcasting to the logits; null if it has none. */
export function maskInput(g: GraphBuilder, spec: GraphSpec, { and }: Arithmetic): Value | null {
  const { mask, storage, queryHeads } = spec;
  if (mask === null) return null;
  const given = g.input("mask", "bool", broadcastDims(mask, queryHeads, storage));
  if (storage === null || !isInPart(storage, mask)) return given;
  if (and) return broadcastPart(g, storage, given, mask);
  // The provider that has no reliable And moves no bool either.
  const numbers = broadcastPart(g, storage, g.cast(given, "bool", "float32"), mask);
  return g.op("Greater", [numbers, g.scalar("float32", 0)]);
}

/** The bias of a spec, of the computing dtype, broadcasting to the logits; null if it has none. */
export function biasInput(g: GraphBuilder, spec: GraphSpec, compute: FloatDType): Value | null {
  if (spec.bias === null) return null;
  const { dtype, axes } = spec.bias;
  const { storage, queryHeads } = spec;
  const given = g.input("bias", dtype, broadcastDims(axes, queryHeads, storage));
  return g.cast(storage ? broadcastPart(g, storage, given, axes) : given, dtype, compute);
}

/** Keys or values without any head. */
export function withoutHeads(g: GraphBuilder, parts: Parts): Parts {
  const none = g.integers(0);
  return parts.map((part) => g.op("Slice", [part, none, none, g.integers(1)])) as unknown as Parts;
}

function broadcastDims(
  [b, h, i, j]: BroadcastAxes,
  heads: number,
  storage: StorageSpec | null,
): Dimension[] {
  const batch = storage?.queries === "entries" ? "allEntries" : "batch";
  const keys = storage?.masksInPart ? "allKeys" : "keyLength";
  return [b ? batch : 1, h ? heads : 1, i ? "queryLength" : 1, j ? keys : 1];
}
