/** Instructions for a node and those that wait for it. */
import type { ProgramNode } from "../form.js";
import { type Doubles, doubles } from "./doubles.js";
import { addProducts, addShiftedProducts, capFloats } from "./fused-loops.js";
import type { Instructions } from "./instructions.js";
import { compileTable } from "./table-instruction.js";
import type { Value } from "./values.js";

/** A value that depends on key − query alone: a longer list, of which each row of a panel has a piece. */
export interface ShiftedList {
  readonly list: Doubles;
  /** From an element of a piece to that three elements on. */
  readonly step: number;
  /** Indices at which the pieces of a panel's rows begin, once `place` was called. */
  readonly starts: Int32Array;
  readonly place: (r: number, count: number) => void;
}

/**
 * Adds the instruction of a sum whose first operand is where the scores are, and whose other operand waits.
 *
 * @param shiftedOf a node as a list with pieces; null for others
 * @returns whether there is one
 */
export function compileSum(
  program: Instructions,
  out: Value,
  node: ProgramNode,
  shiftedOf: (n: number) => ShiftedList | null,
): boolean {
  const [a = -1, b = -1] = node.args;
  // A sum's operands change places, those of a difference do not.
  const [here, other] = program.isWaiting(a) && node.op === "add" ? [b, a] : [a, b];
  if (!program.isWaiting(other) || program.isWaiting(here)) return false;
  if (program.value(here) !== out) return false;
  const sign = node.op === "add" ? 1 : -1;
  const shifted = shiftedOf(other);
  if (shifted) {
    addPieces(program, out, shifted, null, sign);
    return true;
  }
  const added = program.waitingNode(other);
  if (added?.op === "table" && sign === 1) {
    compileTable(program, out, added, true);
    return true;
  }
  return added?.op === "multiply" && compileProduct(program, out, added.args, sign, shiftedOf);
}

function compileProduct(
  program: Instructions,
  out: Value,
  [a = -1, b = -1]: readonly number[],
  sign: 1 | -1,
  shiftedOf: (n: number) => ShiftedList | null,
): boolean {
  for (const [list, number] of [
    [a, b],
    [b, a],
  ] as const) {
    if (program.isWaiting(number)) continue;
    const factors = program.value(number);
    if (program.isList(factors, "scores")) continue;
    const shifted = shiftedOf(list);
    if (shifted) {
      addPieces(program, out, shifted, factors, sign);
      return true;
    }
    const value = program.value(list);
    if (!program.isList(value, "scores")) continue;
    const { step, lane } = program.stepsOf(factors);
    const numbers = factors.floats.data;
    program.of.scores.push((r, n) => {
      const k = r * step;
      const x = sign * (numbers[k] as number);
      const y = sign * (numbers[k + lane] as number);
      const z = sign * (numbers[k + 2 * lane] as number);
      addProducts(out.floats.data, out.floats.at, value.floats.data, value.floats.at, x, y, z, n);
    });
    return true;
  }
  return false;
}

function addPieces(
  program: Instructions,
  { floats }: Value,
  { list, step, starts, place }: ShiftedList,
  factors: Value | null,
  sign: 1 | -1,
): void {
  const numbers = factors?.floats.data ?? [1];
  const { step: next, lane } = factors ? program.stepsOf(factors) : { step: 0, lane: 0 };
  program.of.scores.push((r, n) => {
    place(r, n);
    const k = r * next;
    addShiftedProducts(
      floats.data,
      floats.at,
      list,
      starts[0] as number,
      starts[1] as number,
      starts[2] as number,
      step,
      sign * (numbers[k] as number),
      sign * (numbers[k + lane] as number),
      sign * (numbers[k + 2 * lane] as number),
      n,
    );
  });
}

/**
 * Adds the instruction of tanh, with a factor or divisor of its operand and a factor of its result, to float32 accuracy.
 *
 * @param node tanh, or a product of it and numbers
 * @returns whether it is one, and may be less than exact
 */
export function compileCap(program: Instructions, out: Value, node: ProgramNode): boolean {
  if (program.exact || out.space !== "scores") return false;
  let tanh: ProgramNode = node;
  let outer: Value | null = null;
  if (node.op === "multiply") {
    const at = node.args.findIndex((arg) => program.waitingNode(arg)?.op === "tanh");
    const other = node.args[1 - at] as number;
    if (at < 0 || program.isWaiting(other)) return false;
    outer = program.value(other);
    if (program.isList(outer, "scores")) return false;
    tanh = program.waitingNode(node.args[at] as number) as ProgramNode;
  } else if (node.op !== "tanh") return false;
  const [operand = -1] = tanh.args;
  const { list, inner, divides } = scaledOperand(program, operand);
  const before = threeNumbers(program, inner, divides);
  const after = threeNumbers(program, outer, false);
  const from = list.floats;
  program.of.scores.push((r, n) => {
    before.load(r);
    after.load(r);
    capFloats(out.floats.data, out.floats.at, from.data, from.at, before.numbers, after.numbers, n);
  });
  return true;
}

/** An operand that waits, as a list that is multiplied or divided by numbers; or the operand as it is. */
function scaledOperand(
  program: Instructions,
  n: number,
): { readonly list: Value; readonly inner: Value | null; readonly divides: boolean } {
  const node = program.waitingNode(n);
  const as = { list: n, number: -1 };
  if (node?.op === "divide" || node?.op === "multiply") {
    const [a = -1, b = -1] = node.args;
    for (const [list, number] of node.op === "divide"
      ? [[a, b]]
      : [
          [a, b],
          [b, a],
        ]) {
      if (program.isWaiting(number as number)) continue;
      if (program.isList(program.value(number as number), "scores")) continue;
      if (program.value(list as number).space !== "scores") continue;
      if (node.op === "divide" && !hasReciprocal(program, number as number)) continue;
      as.list = list as number;
      as.number = number as number;
    }
  }
  const inner = as.number < 0 ? null : program.value(as.number);
  return { list: program.value(as.list), inner, divides: node?.op === "divide" };
}

/** Whether a divisor is known, and may be a factor instead: a division by 0 gives 0, also of what is not finite. */
function hasReciprocal(program: Instructions, n: number): boolean {
  const { op } = program.bound.form.nodes[n] as ProgramNode;
  if (op !== "constant" && op !== "scalar") return false;
  const divisor = program.value(n).floats.data[0] as number;
  return divisor !== 0 && Number.isFinite(1 / divisor);
}

/** Three numbers of a panel's rows or their reciprocals; ones without a value. */
function threeNumbers(program: Instructions, value: Value | null, divides: boolean) {
  const numbers = doubles(3).fill(1);
  if (value === null) return { numbers, load: (): void => {} };
  const { step, lane } = program.stepsOf(value);
  const from = value.floats.data;
  const load = (r: number): void => {
    for (let l = 0; l < 3; l++) {
      const x = from[r * step + l * lane] as number;
      numbers[l] = divides ? 1 / x : x;
    }
  };
  return { numbers, load };
}
