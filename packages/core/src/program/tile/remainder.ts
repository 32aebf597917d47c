import { remainderInt32 } from "../arithmetic.js";
import type { ProgramNode } from "../form.js";
import type { Instructions } from "./instructions.js";
import { intListAndNumbers } from "./int-loops.js";
import { isWithin, keyRangeOf, keySumOf } from "./key-sums.js";
import type { Value } from "./values.js";

/** Sums of two remainders do not wrap. */
export const mostDivisor: number = 2 ** 30;

/**
 * Adds the instruction of the remainder of a sum of what keys and rows say, by a positive constant: of each the remainder is
 * known once a tile or row, and their sum is less than two divisors.
 *
 * @returns whether the node is one
 */
export function compileRemainder(program: Instructions, out: Value, node: ProgramNode): boolean {
  if (node.op !== "remainder" || out.type !== "int32" || out.space !== "scores") return false;
  const [a, b] = node.args as [number, number];
  const constant = program.bound.form.nodes[b] as ProgramNode;
  if (constant.op !== "constant" || !(constant.value > 0 && constant.value <= mostDivisor)) {
    return false;
  }
  const sum = keySumOf(program, a);
  if (sum === null) return false;
  const divisor = constant.value;
  const { keys, rows } = sum;
  const range = keyRangeOf(program, keys);
  const residues = new Int32Array(program.lengths.scores);
  const remainder = intListAndNumbers.remainder as (typeof intListAndNumbers)[string];
  const add = intListAndNumbers.add as (typeof intListAndNumbers)[string];
  program.of.keys.push((_, n) => remainder(residues, keys.ints, divisor, divisor, divisor, n));
  program.of.scores.push((r, n) => {
    const { numbers, step, lane } = rows;
    const k = r * step;
    const x = numbers[k] as number;
    const y = numbers[k + lane] as number;
    const z = numbers[k + 2 * lane] as number;
    if (!isWithin(range, rows, r, -(2 ** 31), 2 ** 31)) {
      // The sum wraps.
      add(out.ints, keys.ints, x, y, z, n);
      remainder(out.ints, out.ints, divisor, divisor, divisor, n);
      return;
    }
    const [p, q, s] = [x, y, z].map((number) => remainderInt32(number, divisor));
    addResidues(out.ints, residues, p as number, q as number, s as number, divisor, n);
  });
  return true;
}

/** Sums of remainders and three others, as remainders again. */
function addResidues(
  o: Int32Array,
  a: Int32Array,
  x: number,
  y: number,
  z: number,
  divisor: number,
  n: number,
): void {
  for (let s = 0; s < n; s = (s + 3) | 0) {
    const t = (s + 1) | 0;
    const u = (s + 2) | 0;
    // Negative, and then a divisor too small, if the sum is less than one.
    const i = ((a[s] as number) + x - divisor) | 0;
    const j = ((a[t] as number) + y - divisor) | 0;
    const k = ((a[u] as number) + z - divisor) | 0;
    o[s] = i + ((i >> 31) & divisor);
    o[t] = j + ((j >> 31) & divisor);
    o[u] = k + ((k >> 31) & divisor);
  }
}
