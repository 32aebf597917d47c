import { describeValue, InvalidInputError } from "../errors.js";

/**
 * The validated, canonical description of one call of an operation: everything that a plan depends
 * on, and no data. Each operation extends it with its own fields.
 *
 * The type parameters name the operation's inputs and outputs; no such property exists at run time.
 */
export interface Problem<Inputs = unknown, Outputs = unknown> {
  /** Name of the operation, e.g. `"attention"`. */
  readonly operation: string;
  /**
   * Identifies the problem among those of its operation: derived from every other field. Equal
   * problems have equal keys, and a plan made for one serves every call of the other.
   */
  readonly key: string;
  /** Carries the types of inputs and outputs for the compiler only. */
  readonly types?: { readonly inputs: Inputs; readonly outputs: Outputs };
}

/** Work that a call has to do at least, whichever backend does it. */
export interface Work {
  /** Floating-point operations; a multiply-add counts as two. */
  readonly flops: number;
  /** Bytes that move if each element that is needed moves once. */
  readonly bytes: number;
}

/** Whether a value says that it is a problem, of an operation or of any. Never throws. */
export function isProblem(value: unknown, operation?: string): value is Problem {
  if (typeof value !== "object" || value === null) return false;
  try {
    const { operation: its, key } = value as Partial<Problem>;
    return typeof key === "string" && typeof its === "string" && (operation ?? its) === its;
  } catch {
    return false;
  }
}

/**
 * @param operation name of the operation that it must be of; left out, of any
 * @throws InvalidInputError unless the value says that it is a problem
 */
export function checkProblem(value: unknown, operation?: string): asserts value is Problem {
  if (isProblem(value, operation)) return;
  const expected =
    operation === undefined ? "a problem" : `a problem of the operation ${operation}`;
  throw new InvalidInputError("problem", `${expected}, as describe gives`, describeValue(value));
}
