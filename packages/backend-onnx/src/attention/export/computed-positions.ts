import { type AttentionProblem, visibleBand } from "@heed/core";
import type { GraphBuilder, Value } from "../../model/builder.js";
import { movesWithRows } from "../bounds.js";
import type { PositionSource, PositionValues } from "../graph/positions.js";
import type { BandSpec, PositionSpec } from "../graph/spec.js";

/** The position rules of a problem, for all offsets and lengths that its calls may have. */
export function positionSpecOf(problem: AttentionProblem): PositionSpec {
  const visible = visibleBand(problem);
  const band: BandSpec = {
    first: Number.isFinite(visible.left),
    last: Number.isFinite(visible.right) || problem.kvLengths,
    perRow: movesWithRows(visible),
    emptyRows: true,
    diagonal: null,
    ranked: false,
  };
  return band.first || band.last
    ? { band, guard: "rows", far: false }
    : { band: null, guard: "none", far: false };
}

/**
 * Positions worked out by the model itself, from the call's own inputs: `queryOffset` (int64, a scalar
 * or `[batch]`, by the problem's rule) and `kvLengths` (int64, `[batch]`). All of it is int64, in which
 * no sum of 32-bit integers overflows.
 */
export function computedPositions(problem: AttentionProblem): PositionSource {
  return (g, spec, compute): PositionValues => {
    const { band, alibi, scoresEnd } = spec;
    if (!band && !alibi && !scoresEnd) {
      return {
        query: null,
        key: null,
        high: null,
        notBefore: null,
        notAfter: null,
        anyInBand: null,
        reachable: null,
        exists: null,
      };
    }
    const one = g.scalar("int64", 1);
    const queryLength = sizeOf(g, "query");
    const keyLength = sizeOf(g, "key");
    const indices = g.op("Range", [g.scalar("int64", 0), keyLength, one]);
    const keys = g.reshape(indices, 1, 1, 1, -1);
    const lengths = problem.kvLengths
      ? g.reshape(g.input("kvLengths", "int64", ["batch"]), -1, 1, 1, 1)
      : g.reshape(keyLength, 1, 1, 1, 1);
    const offset = offsetOf(g, problem, queryLength, lengths);
    const steps = g.op("Range", [g.scalar("int64", 0), queryLength, one]);
    const rows = offset ? g.op("Add", [g.reshape(steps, 1, 1, -1, 1), offset]) : null;

    const { left, right } = visibleBand(problem);
    const lastKey = g.op("Sub", [lengths, one]);
    const shifted = (by: number): Value | null =>
      Number.isFinite(by) && rows ? g.op("Add", [rows, g.scalar("int64", by)]) : null;
    const first = shifted(-left);
    const lastByRow = shifted(right);
    const last = lastByRow ? g.op("Min", [lastByRow, lastKey]) : lastKey;
    const column = g.reshape(indices, 1, 1, -1, 1);
    return {
      query: alibi && rows ? g.cast(rows, "int64", compute) : null,
      key: alibi ? g.cast(keys, "int64", compute) : null,
      high: null,
      notBefore: first && g.op("GreaterOrEqual", [keys, first]),
      notAfter: band?.last ? g.op("LessOrEqual", [keys, last]) : null,
      anyInBand: band && anyKey(g, first, last),
      reachable: band && reachableKeys(g, column, first, last),
      exists: scoresEnd ? g.op("Less", [keys, lengths]) : null,
    };
  };
}

/** The length of a `[batch, heads, length, size]` input, a scalar. */
function sizeOf(g: GraphBuilder, input: "query" | "key"): Value {
  return g.op("Squeeze", [g.op("Shape", [input], { start: 2, end: 3 })]);
}

/** `[1 or B, 1, 1, 1]` or a scalar; null where no rule needs positions. */
function offsetOf(
  g: GraphBuilder,
  { positions }: AttentionProblem,
  queryLength: Value,
  lengths: Value,
): Value | null {
  switch (positions) {
    case "none":
    case "data":
      return null;
    case "fixed":
      return g.input("queryOffset", "int64", []);
    case "bottom-right":
      return g.op("Sub", [lengths, queryLength]);
    case "per-batch":
      return g.reshape(g.input("queryOffset", "int64", ["batch"]), -1, 1, 1, 1);
  }
}

/** Whether a row's range holds a key: `max(first, 0) ≤ last`. */
function anyKey(g: GraphBuilder, first: Value | null, last: Value): Value {
  const zero = g.scalar("int64", 0);
  return g.op("LessOrEqual", [first ? g.op("Max", [first, zero]) : zero, last]);
}

/** Keys from the rows' smallest first to their largest last; `column` is `[1, 1, Lk, 1]`. */
function reachableKeys(g: GraphBuilder, column: Value, first: Value | null, last: Value): Value {
  const rowAxis = -2;
  const end = g.op("LessOrEqual", [column, g.reduce("ReduceMax", last, rowAxis)]);
  if (first === null) return end;
  const start = g.op("GreaterOrEqual", [column, g.reduce("ReduceMin", first, rowAxis)]);
  return g.op("And", [start, end]);
}
