import type { OperationName, ProgramType } from "./types.js";

const largest = 2 ** 31 - 1;
const smallest = -(2 ** 31);

/**
 * One operation on numbers: the definition of what programs compute. Booleans are 0 and 1. int32 wraps
 * at 32 bits. Floats are computed in float64 here and in at least float32 by backends. A division by 0
 * gives 0, and so does a remainder; quotients are rounded towards −∞ and a remainder has the divisor's
 * sign, as in Python and NumPy.
 *
 * @param type of the operands, which all have the same (those of `where` that it chooses from)
 * @param to type of the result
 */
export function applyOperation(
  name: OperationName,
  type: ProgramType,
  to: ProgramType,
  a: number,
  b: number,
  c: number,
): number {
  const int = type === "int32";
  switch (name) {
    case "add":
      return int ? (a + b) | 0 : a + b;
    case "subtract":
      return int ? (a - b) | 0 : a - b;
    case "multiply":
      return int ? Math.imul(a, b) : a * b;
    case "divide":
      return b === 0 ? 0 : a / b;
    case "floorDivide":
      return int ? floorDivideInt32(a, b) : floorDivideFloat(a, b);
    case "remainder":
      return int ? remainderInt32(a, b) : remainderFloat(a, b);
    case "minimum":
      return Math.min(a, b);
    case "maximum":
      return Math.max(a, b);
    case "negative":
      return int ? -a | 0 : -a;
    case "abs":
      return int ? Math.abs(a) | 0 : Math.abs(a);
    case "floor":
      return Math.floor(a);
    case "sqrt":
      return Math.sqrt(a);
    case "exp":
      return Math.exp(a);
    case "log":
      return Math.log(a);
    case "tanh":
      return Math.tanh(a);
    case "equal":
      return a === b ? 1 : 0;
    case "notEqual":
      return a !== b ? 1 : 0;
    case "less":
      return a < b ? 1 : 0;
    case "lessEqual":
      return a <= b ? 1 : 0;
    case "greater":
      return a > b ? 1 : 0;
    case "greaterEqual":
      return a >= b ? 1 : 0;
    case "and":
      return a & b;
    case "or":
      return a | b;
    case "not":
      return 1 - a;
    case "where":
      return a !== 0 ? b : c;
    case "astype":
      return convert(a, to);
  }
}

/** ⌊a / b⌋ at 32 bits; 0 if b is 0; −2^31 / −1 wraps to −2^31. */
export function floorDivideInt32(a: number, b: number): number {
  return b === 0 ? 0 : Math.floor(a / b) | 0;
}

/** a − b · ⌊a / b⌋, of b's sign; 0 if b is 0. */
export function remainderInt32(a: number, b: number): number {
  const d = b | 0;
  if (d === 0) return 0;
  const r = ((a | 0) % d) | 0;
  return r !== 0 && r < 0 !== d < 0 ? (r + d) | 0 : r;
}

/** ⌊a / b⌋; 0 if b is 0. */
export function floorDivideFloat(a: number, b: number): number {
  return b === 0 ? 0 : Math.floor(a / b);
}

/** a − b · ⌊a / b⌋, each step rounded; 0 if b is 0. */
export function remainderFloat(a: number, b: number): number {
  return b === 0 ? 0 : a - Math.floor(a / b) * b;
}

/**
 * A number as another type. To int32: rounded towards 0, beyond its range the nearest end, NaN is 0. To bool:
 * whether it is not 0, which NaN is not.
 */
export function convert(value: number, to: ProgramType): number {
  if (to === "float32") return value;
  if (to === "bool") return value !== 0 ? 1 : 0;
  if (Number.isNaN(value)) return 0;
  return Math.max(smallest, Math.min(largest, Math.trunc(value))) | 0;
}
