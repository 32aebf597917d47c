import { describeValue, InvalidInputError } from "../errors.js";
import type { AnyOperation, Bound } from "../operation/operation.js";
import { reading, unreadable } from "../options.js";

/** Values that were found to be operations: a steady call does not look again. */
const knownOperations = new WeakSet<object>();

/** @throws InvalidInputError for anything that is no operation */
function checkOperation(operation: AnyOperation): void {
  const usable = reading("operation", () =>
    [operation?.describe, operation?.bind, operation?.operands].every(
      (member) => typeof member === "function",
    ),
  );
  if (!usable) {
    const expected = "an operation, such as attention or rotary";
    throw new InvalidInputError("operation", expected, describeValue(operation));
  }
  knownOperations.add(operation);
}

/** A call validated and bound, whatever its members do when they are read. */
export function bindCall(operation: AnyOperation, inputs: unknown): Bound {
  if (!knownOperations.has(operation)) checkOperation(operation);
  try {
    return operation.bind(operation.describe(inputs), inputs) as Bound;
  } catch (error) {
    throw unreadable("inputs", error);
  }
}
