/** Instructions for a node and those that wait for it. */
import type { ProgramNode } from "../form.js";
import type { Doubles } from "./doubles.js";
import { addProducts, addShiftedProducts, capFloats } from "./fused-loops.js";
import type { Instructions } from "./instructions.js";
import { compileTable } from "./table-instruction.js";
import { type ThreeNumbers, threeNumbers } from "./three-numbers.js";
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
 * Adds the instruction of a sum whose one operand is where the scores are, or waits as their product with numbers, and whose
 * other operand waits.
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
  const [a, b] = node.args as [number, number];
  const sign = node.op === "add" ? 1 : -1;
  for (const [here, other] of [
    [a, b],
    [b, a],
  ] as const) {
    const scale = scaleOf(program, out, here);
    if (scale !== null && program.isWaiting(other)) {
      return addTo(program, { out, scale, sign }, other, shiftedOf);
    }
    // A sum's operands change places, those of a difference do not.
    if (sign === -1) break;
  }
  return false;
}

/** Values that are multiplied by numbers, and to which others are added or, with sign −1, subtracted. */
interface Target {
  readonly out: Value;
  readonly scale: ThreeNumbers;
  readonly sign: 1 | -1;
}

/** The factors of the scores in a node that is where they are, or their product with numbers; null for others. */
function scaleOf(program: Instructions, out: Value, n: number): ThreeNumbers | null {
  if (!program.isWaiting(n)) return program.value(n) === out ? threeNumbers(program, null) : null;
  const node = program.waitingNode(n);
  if (node?.op !== "multiply" || node.args.some((arg) => program.isWaiting(arg))) return null;
  const [a, b] = node.args.map((arg) => program.value(arg)) as [Value, Value];
  const factors = a === out ? b : a;
  if ((a !== out && b !== out) || program.isList(factors, "scores")) return null;
  return threeNumbers(program, factors);
}

function addTo(
  program: Instructions,
  target: Target,
  n: number,
  shiftedOf: (n: number) => ShiftedList | null,
): boolean {
  const shifted = shiftedOf(n);
  if (shifted) {
    addPieces(program, target, shifted, null);
    return true;
  }
  const added = program.waitingNode(n);
  if (added?.op === "table" && target.sign === 1) {
    compileTable(program, target.out, added, target.scale);
    return true;
  }
  return added?.op === "multiply" && addProduct(program, target, added.args, shiftedOf);
}

function addProduct(
  program: Instructions,
  target: Target,
  args: readonly number[],
  shiftedOf: (n: number) => ShiftedList | null,
): boolean {
  const [a, b] = args as [number, number];
  for (const [list, number] of [
    [a, b],
    [b, a],
  ] as const) {
    if (program.isWaiting(number)) continue;
    const factors = program.value(number);
    if (program.isList(factors, "scores")) continue;
    const shifted = shiftedOf(list);
    if (shifted) {
      addPieces(program, target, shifted, factors);
      return true;
    }
    const value = program.value(list);
    if (!program.isList(value, "scores")) continue;
    const { scale, sign } = target;
    const { step, lane } = program.stepsOf(factors);
    const numbers = factors.floats.data;
    const { floats: to } = target.out;
    const { floats: from } = value;
    program.of.scores.push((r, n) => {
      scale.load(r);
      const k = r * step;
      const x = sign * (numbers[k] as number);
      const y = sign * (numbers[k + lane] as number);
      const z = sign * (numbers[k + 2 * lane] as number);
      addProducts(to.data, to.at, scale.numbers, from.data, from.at, x, y, z, n);
    });
    return true;
  }
  return false;
}

function addPieces(
  program: Instructions,
  { out: { floats }, scale, sign }: Target,
  { list, step, starts, place }: ShiftedList,
  factors: Value | null,
): void {
  const numbers = factors?.floats.data ?? [1];
  const { step: next, lane } = factors ? program.stepsOf(factors) : { step: 0, lane: 0 };
  program.of.scores.push((r, n) => {
    place(r, n);
    scale.load(r);
    const k = r * next;
    addShiftedProducts(
      floats.data,
      floats.at,
      scale.numbers,
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
  const [operand] = tanh.args as [number];
  const { list, inner, divides } = scaledOperand(program, operand);
  const before = threeNumbers(program, inner, divides);
  const after = threeNumbers(program, outer);
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
    const [a, b] = node.args as [number, number];
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
