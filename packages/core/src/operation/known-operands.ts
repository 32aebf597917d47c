import { takeSame } from "../tensor/host-tensor.js";
import type { Tensor } from "../tensor/tensor.js";
import type { OperandSpec } from "./operation.js";
import type { Problem } from "./problem.js";

/**
 * Operands by problem, each list made once: binding a call and checking its outputs ask for them, also in a
 * call that takes microseconds. Shapes are frozen, so that outputs share them.
 */
export function knownOperands<P extends Problem>(
  make: (problem: P) => readonly OperandSpec[],
): (problem: P) => readonly OperandSpec[] {
  const known = new WeakMap<P, readonly OperandSpec[]>();
  return (problem) => {
    let operands = known.get(problem);
    if (operands === undefined) {
      operands = make(problem);
      for (const { shape } of operands) Object.freeze(shape);
      known.set(problem, operands);
    }
    return operands;
  };
}

/**
 * A call's tensor for an operand, checked again: see {@link takeSame}.
 *
 * @throws InvalidInputError unless shape and dtype are those of the operand
 */
export function takeOperand<T extends Tensor>(
  { name, shape, dtype }: OperandSpec,
  given: T | undefined,
): T {
  return takeSame(name, given, shape, dtype);
}
