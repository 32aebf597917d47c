import type { FloatDType } from "@heed/core";
import type { GraphBuilder, Value } from "../../model/builder.js";
import type { GraphSpec } from "./spec.js";

/** Positions as values of a graph; a member is null if the spec does not need it. */
export interface PositionValues {
  /** `[1 or B, 1, Lq, 1]`, of the computing dtype: positions of the query rows. */
  readonly query: Value | null;
  /** `[1 or B, 1, 1, Lk]`, of the computing dtype: positions of the keys. */
  readonly key: Value | null;
  /** As the two before, to be added to their difference; null unless positions are given in two parts. */
  readonly high: { readonly query: Value; readonly key: Value } | null;
  /** bool, `[1 or B, 1, 1 or Lq, Lk]`: keys from a row's first one on. */
  readonly notBefore: Value | null;
  /** bool, `[1 or B, 1, 1 or Lq, Lk]`: keys up to a row's last one; or all that its range has. */
  readonly notAfter: Value | null;
  /** bool, `[1 or B, 1, 1 or Lq, 1]`: whether a row's range has any key. */
  readonly anyInBand: Value | null;
  /** bool, `[1 or B, 1, Lk, 1]`: keys that some row of the batch sees. */
  readonly reachable: Value | null;
  /** bool, `[B, 1, 1, Lk]`: keys before the batch's length. */
  readonly exists: Value | null;
}

/** Adds the positions to a graph, either as its inputs or as nodes that compute them. */
export type PositionSource = (
  g: GraphBuilder,
  spec: GraphSpec,
  compute: FloatDType,
) => PositionValues;

/**
 * Positions as inputs that the host works out, a number a row or a key: every rule of positions is
 * then the same graph, and a decode loop's too. Where all rows of a batch see the same keys, they are
 * said outright.
 */
export function positionInputs(
  g: GraphBuilder,
  { alibi, band, far, guard, scoresEnd }: GraphSpec,
  compute: FloatDType,
): PositionValues {
  const rows = ["positionBatch", 1, "queryLength", 1];
  const perRow = band?.perRow === true;
  const bandRows = ["positionBatch", 1, perRow ? "queryLength" : 1, 1];
  const ranked = band?.ranked === true;
  const indices =
    (perRow && !ranked) || scoresEnd
      ? g.input("keyIndices", "int32", [1, 1, 1, "keyLength"])
      : null;
  const keys = ranked
    ? g.input("keyRanks", "int32", ["positionBatch", 1, 1, "keyLength"])
    : indices;
  const keyRow = ["keyBatch", 1, 1, "keyLength"];
  const first = perRow && band.first ? g.input("firstKeys", "int32", bandRows) : null;
  const last = perRow && band.last ? g.input("lastKeys", "int32", bandRows) : null;
  const visible =
    band && !perRow ? g.input("visibleKeys", "bool", ["positionBatch", 1, 1, "keyLength"]) : null;
  const end = scoresEnd ? g.input("kvLengths", "int32", ["batch", 1, 1, 1]) : null;
  return {
    query: alibi ? g.input("queryPositions", compute, rows) : null,
    key: alibi ? g.input("keyPositions", compute, keyRow) : null,
    high:
      alibi && far
        ? {
            query: g.input("queryPositionsHigh", compute, rows),
            key: g.input("keyPositionsHigh", compute, keyRow),
          }
        : null,
    notBefore: keys && first && g.op("GreaterOrEqual", [keys, first]),
    notAfter: visible ?? (keys && last && g.op("LessOrEqual", [keys, last])),
    anyInBand: band?.emptyRows ? g.input("rowSeesKeys", "bool", bandRows) : null,
    reachable:
      guard === "rows" ? g.input("keyIsSeen", "bool", ["positionBatch", 1, "keyLength", 1]) : null,
    exists: indices && end && g.op("Less", [indices, end]),
  };
}
