import { reading } from "../options.js";
import type { BoundProgram } from "./bound.js";
import type { ProgramNode } from "./form.js";
import type { Range } from "./line-ranges.js";
import { TileProgram } from "./tile/tile-program.js";

/** Keys that a query sees: those at positions from query − left to query + right; null where that side hides nothing. */
export interface ProgramWindow {
  readonly left: number | null;
  readonly right: number | null;
}

/** Distances that are asked at once. */
const mostDistances = 4096;
const largestInt32 = 2 ** 31 - 1;

/**
 * The window that says what a mask program says for some positions, as `causal` and `slidingWindow` do: a backend then
 * computes what it has for windows.
 *
 * @param query smallest and largest position of a query
 * @param key smallest and largest position of a key
 * @returns null for a program that is none, or that sees nothing
 * @throws InvalidInputError where `bound` is none
 */
export function windowOfProgram(
  bound: BoundProgram<"mask">,
  query: Range,
  key: Range,
): ProgramWindow | null {
  return reading("bound", () => {
    const [least, most] = [key.lo - query.hi, key.hi - query.lo];
    const farthest = Math.max(...[query.lo, query.hi, key.lo, key.hi, least, most].map(Math.abs));
    return dependsOnDistance(bound, farthest) ? visibleRange(bound, least, most) : null;
  });
}

/**
 * Whether a program's result follows from key − query alone. If both grow by t, a node's value grows by a multiple of t:
 * its slope. A comparison of values of the same slope is the same then, and so is the result if it has slope 0.
 *
 * @param farthest largest absolute value of a position or distance: sums beyond int32 would wrap
 */
function dependsOnDistance({ form, scalars }: BoundProgram, farthest: number): boolean {
  const slopes: number[] = [];
  const magnitudes: number[] = [];
  for (const node of form.nodes) {
    const magnitude = magnitudeOf(node, scalars, magnitudes, farthest);
    const slope = slopeOf(node, slopes);
    if (slope === null) return false;
    const grows = slope !== 0 || (isSum(node) && node.args.some((arg) => slopes[arg] !== 0));
    if (grows && magnitude > largestInt32) return false;
    slopes.push(slope);
    magnitudes.push(magnitude);
  }
  return slopes.at(-1) === 0;
}

function isSum({ op }: ProgramNode): boolean {
  return op === "add" || op === "subtract";
}

function magnitudeOf(
  node: ProgramNode,
  scalars: readonly number[],
  magnitudes: readonly number[],
  farthest: number,
): number {
  switch (node.op) {
    case "constant":
      return Math.abs(node.value);
    case "scalar":
      return Math.abs(scalars[node.slot] as number);
    case "variable":
      return farthest;
    case "add":
    case "subtract":
      return node.args.reduce((sum, arg) => sum + (magnitudes[arg] as number), 0);
    case "negative":
    case "minimum":
    case "maximum":
      return Math.max(...node.args.map((arg) => magnitudes[arg] as number));
    default:
      return Number.POSITIVE_INFINITY;
  }
}

/** null for a node whose value has no slope. */
function slopeOf(node: ProgramNode, slopes: readonly number[]): number | null {
  const [a = 0, b = 0] = node.args.map((arg) => slopes[arg] as number);
  switch (node.op) {
    case "variable":
      return node.name === "query" || node.name === "key" ? 1 : null;
    case "add":
      return a + b;
    case "subtract":
      return a - b;
    case "negative":
      return -a;
    case "minimum":
    case "maximum":
      return a === b ? a : null;
    case "equal":
    case "notEqual":
    case "less":
    case "lessEqual":
    case "greater":
    case "greaterEqual":
      return a === b ? 0 : null;
    default:
      return node.args.every((arg) => slopes[arg] === 0) ? 0 : null;
  }
}

/** The distances that are visible, if they follow one another. */
function visibleRange(
  bound: BoundProgram<"mask">,
  least: number,
  most: number,
): ProgramWindow | null {
  const tile = new TileProgram(bound, { keys: mostDistances });
  tile.setBatch(0);
  tile.setRows(1, { head: [0], position: [0], index: [0] });
  let [first, last, seen] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  for (let start = least; start <= most; start += mostDistances) {
    const count = Math.min(mostDistances, most + 1 - start);
    tile.setKeys(start, count);
    const visible = tile.visible(0);
    for (let j = 0; j < count; j++) {
      if (visible[j] === 0) continue;
      first = Math.min(first, start + j);
      last = start + j;
      seen++;
    }
  }
  if (seen === 0 || seen !== last - first + 1) return null;
  return { left: first === least ? null : -first, right: last === most ? null : last };
}
