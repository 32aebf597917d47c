import type { AttentionProblem } from "../problem.js";
import { partProblem } from "./part-problem.js";
import {
  type Division,
  type DivisionAxis,
  divisionAxes,
  mostPieces,
  partsOf,
  undivided,
} from "./parts.js";

/** Most parts of a call: each costs a run of its own. */
const mostParts = 1024;

const rowAxes: readonly DivisionAxis[] = ["batch", "heads", "rows"];
const keyAxis: readonly DivisionAxis[] = ["keys"];

/** Divisions of a problem, those with the fewest parts of each kind first. */
export function* divisions(problem: AttentionProblem): Generator<Division> {
  const most = (axis: DivisionAxis): number => mostPieces(problem, axis);
  const pieces = function* (axis: DivisionAxis, beside: number): Generator<number> {
    const limit = Math.min(most(axis), Math.floor(mostParts / beside));
    for (let count = 2; count < limit; count *= 2) yield count;
    if (limit > 1) yield limit;
  };
  // One axis is enough in most cases. Parts that differ in keys have to be merged: they come last.
  for (const alone of [rowAxes, keyAxis]) {
    for (const axis of alone) {
      for (const count of pieces(axis, 1)) yield { ...undivided, [axis]: count };
    }
    // Several, each but the last as far as it goes.
    let base = undivided;
    for (const axis of alone === rowAxes ? rowAxes : divisionAxes) {
      const beside = Object.values(base).reduce((a, b) => a * b, 1);
      let last = 1;
      for (const count of pieces(axis, beside)) {
        last = count;
        if (beside > 1 && alone.includes(axis)) yield { ...base, [axis]: count };
      }
      base = { ...base, [axis]: last };
    }
  }
}

/** The different problems of the parts of a division, the largest first. */
export function partProblems(
  problem: AttentionProblem,
  division: Division,
): readonly AttentionProblem[] {
  const found = new Map<string, AttentionProblem>();
  const sizes = new Set<string>();
  for (const part of partsOf(problem, division)) {
    const { batch, heads, kvHeads, rows, keys } = part;
    const size = [batch, heads, kvHeads, rows, keys].map(({ start, end }) => end - start).join();
    const alike = `${size} ${keys.start === 0}`;
    if (sizes.has(alike)) continue;
    sizes.add(alike);
    const described = partProblem(problem, part);
    found.set(described.key, described);
  }
  return [...found.values()];
}

/** A division in words: "2 of the batch, 4 of keys". */
export function describeDivision(division: Division): string {
  return divisionAxes
    .filter((axis) => division[axis] > 1)
    .map((axis) => `${division[axis]} of ${axis === "batch" ? "the batch" : axis}`)
    .join(", ");
}
