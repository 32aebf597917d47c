import { variablesOf } from "../../program/form.js";
import type { AttentionProblem } from "../problem.js";

/** Axes along which a call can be divided, in the order in which they are tried. */
export const divisionAxes = ["batch", "heads", "rows", "keys"] as const;
export type DivisionAxis = (typeof divisionAxes)[number];

/** `start ≤ index < end` */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** The number of pieces along each axis. Every part is a piece of each of them. */
export type Division = Readonly<Record<DivisionAxis, number>>;

export const undivided: Division = { batch: 1, heads: 1, rows: 1, keys: 1 };

/** A part of a call. */
export interface Part {
  readonly batch: Range;
  /** Query heads. */
  readonly heads: Range;
  readonly kvHeads: Range;
  readonly rows: Range;
  readonly keys: Range;
}

/** Why a call cannot be divided along an axis; null if it can. */
export function obstacle(problem: AttentionProblem, axis: DivisionAxis): string | null {
  const { ragged, positions, returns } = problem;
  if (ragged && axis !== "heads") return "the lengths of a ragged batch are data";
  const used = programVariables(problem);
  const reads = (name: string): string => `a program reads ${name}`;
  switch (axis) {
    case "batch":
      return used.has("batch") ? reads("batch") : null;
    case "heads":
      return used.has("head") ? reads("head") : null;
    case "rows":
      if (used.has("queryIndex")) return reads("queryIndex");
      return used.has("query") && positions === "none" ? reads("query") : null;
    case "keys":
      if (used.has("keyIndex")) return reads("keyIndex");
      return returns.weights ? "weights are normalised over all keys" : null;
  }
}

/** Names of the variables that the programs of a problem read. */
export function programVariables({ maskMod, scoreMod }: AttentionProblem): ReadonlySet<string> {
  return new Set([maskMod, scoreMod].flatMap((form) => (form ? [...variablesOf(form)] : [])));
}

/** The most pieces that an axis has. */
export function mostPieces(problem: AttentionProblem, axis: DivisionAxis): number {
  if (obstacle(problem, axis) !== null) return 1;
  const { batch, queryHeads, queryLength, keyLength } = problem;
  const size = { batch, heads: queryHeads, rows: queryLength, keys: keyLength }[axis];
  return Math.max(1, Math.ceil(size / stepOf(problem, axis)));
}

/** Blocks of a block mask and pages stay whole. */
function stepOf({ blockMask, pages }: AttentionProblem, axis: DivisionAxis): number {
  if (axis === "rows") return blockMask?.queryBlock ?? 1;
  if (axis === "keys") return leastCommonMultiple(blockMask?.keyBlock ?? 1, pages?.size ?? 1);
  return 1;
}

/** The parts of a call: parts that differ in keys alone follow one another. */
export function partsOf(problem: AttentionProblem, division: Division): readonly Part[] {
  const { batch, keyLength, queryLength } = problem;
  const pieces = (axis: DivisionAxis, size: number): readonly Range[] =>
    ranges(size, division[axis], stepOf(problem, axis));
  const parts: Part[] = [];
  for (const b of pieces("batch", batch)) {
    for (const { heads, kvHeads } of headRanges(problem, division.heads)) {
      for (const rows of pieces("rows", queryLength)) {
        for (const keys of pieces("keys", keyLength)) {
          parts.push({ batch: b, heads, kvHeads, rows, keys });
        }
      }
    }
  }
  return parts;
}

/** Query heads with the key heads that they share: whole groups, or parts of one group. */
function headRanges(
  { queryHeads, kvHeads }: AttentionProblem,
  count: number,
): readonly { readonly heads: Range; readonly kvHeads: Range }[] {
  const perGroup = queryHeads / kvHeads;
  if (count <= kvHeads) {
    return ranges(kvHeads, count, 1).map(({ start, end }) => ({
      heads: { start: start * perGroup, end: end * perGroup },
      kvHeads: { start, end },
    }));
  }
  const within = ranges(perGroup, Math.ceil(count / kvHeads), 1);
  return Array.from({ length: kvHeads }, (_, g) =>
    within.map(({ start, end }) => ({
      heads: { start: g * perGroup + start, end: g * perGroup + end },
      kvHeads: { start: g, end: g + 1 },
    })),
  ).flat();
}

/** At most `count` ranges that make up a size, all alike but the last. */
function ranges(size: number, count: number, step: number): readonly Range[] {
  const each = Math.max(1, Math.ceil(size / count / step)) * step;
  const found: Range[] = [];
  for (let start = 0; start < size; start += each) {
    found.push({ start, end: Math.min(size, start + each) });
  }
  return found.length === 0 ? [{ start: 0, end: size }] : found;
}

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return (a / x) * b;
}
