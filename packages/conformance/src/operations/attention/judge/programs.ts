import type { BoundProgram, ProgramNode, ProgramPoint } from "@heed/core/program";

/** The value of a program at a point. */
export interface NaiveValue {
  readonly value: number;
  /** The most that rounding each float32 step once may move the value. */
  readonly rounding: number;
}

/**
 * A program step by step, each float rounded. Written again from the rules on the page of semantics, as all of the
 * naive evaluation is: see `naiveAttention`.
 *
 * @param f rounds to the precision in which floats are computed
 * @param u unit roundoff of that precision
 */
export function naiveProgram(
  bound: BoundProgram,
  f: (x: number) => number,
  u: number,
): (point: ProgramPoint) => NaiveValue {
  const { nodes } = bound.form;
  const values = new Float64Array(nodes.length);
  const steps = nodes.map((node) => stepOf(node, values, bound, f));
  const isFloat = nodes.map(({ type }) => type === "float32");
  const floats = nodes.filter(({ type, args }) => type === "float32" && args.length > 0).length;
  return (point) => {
    let largest = 0;
    for (let n = 0; n < steps.length; n++) {
      const value = (steps[n] as Step)(point);
      values[n] = value;
      const magnitude = Math.abs(value);
      if (magnitude > largest && isFloat[n] && magnitude !== Number.POSITIVE_INFINITY) {
        largest = magnitude;
      }
    }
    return { value: values[steps.length - 1] as number, rounding: floats * u * largest };
  };
}

/** Computes a node's value; those of earlier nodes are there already. */
type Step = (point: ProgramPoint) => number;

/** Wraps an integer to 32 bits. Integers up to 2^53 are exact as numbers, larger ones come as bigint. */
const int32 = (x: number | bigint): number => {
  // Integers have no −0.
  if (typeof x === "number" && x >= -2147483648 && x <= 2147483647) return x === 0 ? 0 : x;
  return Number(BigInt.asIntN(32, BigInt(x)));
};

function stepOf(
  node: ProgramNode,
  values: Float64Array,
  { form: { nodes }, tables, scalars }: BoundProgram,
  f: (x: number) => number,
): Step {
  const { op, args } = node;
  const of = (at: number): number => values[args[at] as number] as number;
  switch (op) {
    case "constant":
      return () => node.value;
    case "scalar":
      return () => scalars[node.slot] as number;
    case "variable": {
      const { name } = node;
      return name === "score" ? ({ score = 0 }) => score : (point) => int32(point[name]);
    }
    case "table": {
      const { shape, data, dtype } = tables[node.slot] as BoundProgram["tables"][number];
      return () => {
        let at = 0;
        for (const [axis, size] of shape.entries()) {
          at = at * size + Math.min(Math.max(of(axis), 0), size - 1);
        }
        return dtype === "bool" ? Number(data[at] !== 0) : (data[at] as number);
      };
    }
    case "where":
      return () => (of(0) === 1 ? of(1) : of(2));
    case "astype":
      return () => cast(of(0), node.type);
  }
  const [a, b] = [args[0] as number, (args[1] ?? args[0]) as number];
  const isInt = (nodes[a] as ProgramNode).type === "int32";
  const compared = comparisons[op];
  if (compared) return () => Number(compared(values[a] as number, values[b] as number));
  if (isInt) return () => intStep(op, values[a] as number, values[b] as number);
  return () => f(floatStep(op, values[a] as number, values[b] as number, f));
}

/** Operations whose value is a bool. */
const comparisons: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  equal: (a, b) => a === b,
  notEqual: (a, b) => a !== b,
  less: (a, b) => a < b,
  lessEqual: (a, b) => a <= b,
  greater: (a, b) => a > b,
  greaterEqual: (a, b) => a >= b,
  and: (a, b) => a === 1 && b === 1,
  or: (a, b) => a === 1 || b === 1,
  not: (a) => a === 0,
};

/** Exact, then wrapped once. */
function intStep(op: string, x: number, y: number): number {
  // Sums and quotients of two integers of 32 bits are exact in float64, and products need 62 bits.
  const quotient = y === 0 ? 0 : Math.floor(x / y);
  switch (op) {
    case "add":
      return int32(x + y);
    case "subtract":
      return int32(x - y);
    case "multiply":
      return int32(BigInt(x) * BigInt(y));
    case "floorDivide":
      return int32(quotient);
    case "remainder":
      return y === 0 ? 0 : int32(x - quotient * y);
    case "negative":
      return int32(-x);
    case "abs":
      return int32(Math.abs(x));
    case "minimum":
      return Math.min(x, y);
    case "maximum":
      return Math.max(x, y);
    default:
      throw new Error(`no int32 operation ${op}`);
  }
}

function floatStep(op: string, a: number, b: number, f: (x: number) => number): number {
  switch (op) {
    case "add":
      return a + b;
    case "subtract":
      return a - b;
    case "multiply":
      return a * b;
    case "divide":
      return b === 0 ? 0 : a / b;
    case "floorDivide":
      return b === 0 ? 0 : Math.floor(f(a / b));
    case "remainder":
      return b === 0 ? 0 : a - f(Math.floor(f(a / b)) * b);
    case "negative":
      return -a;
    case "abs":
      return Math.abs(a);
    case "minimum":
      return Math.min(a, b);
    case "maximum":
      return Math.max(a, b);
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
    default:
      throw new Error(`no float32 operation ${op}`);
  }
}

function cast(value: number, type: string): number {
  if (type === "float32") return Math.fround(value);
  if (type === "bool") return Number(value !== 0);
  if (Number.isNaN(value)) return 0;
  return Math.trunc(Math.min(Math.max(value, -2147483648), 2147483647));
}
