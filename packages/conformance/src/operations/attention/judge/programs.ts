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
  { form, tables, scalars }: BoundProgram,
  f: (x: number) => number,
  u: number,
): (point: ProgramPoint) => NaiveValue {
  const { nodes } = form;
  const floats = nodes.filter(({ type, args }) => type === "float32" && args.length > 0).length;
  return (point) => {
    const values: number[] = [];
    let largest = 0;
    for (const node of nodes) {
      const value = evaluate(node, values, nodes, tables, scalars, point, f);
      values.push(value);
      if (node.type === "float32" && Number.isFinite(value)) {
        largest = Math.max(largest, Math.abs(value));
      }
    }
    return { value: values.at(-1) as number, rounding: floats * u * largest };
  };
}

const int32 = (x: number | bigint): number => Number(BigInt.asIntN(32, BigInt(x)));

function evaluate(
  node: ProgramNode,
  values: readonly number[],
  nodes: readonly ProgramNode[],
  tables: BoundProgram["tables"],
  scalars: BoundProgram["scalars"],
  point: ProgramPoint,
  f: (x: number) => number,
): number {
  const of = (at: number): number => values[node.args[at] as number] as number;
  if (node.op === "constant") return node.value;
  if (node.op === "scalar") return scalars[node.slot] as number;
  if (node.op === "variable") {
    return node.name === "score" ? (point.score ?? 0) : int32(point[node.name]);
  }
  if (node.op === "table") {
    const { shape, data, dtype } = tables[node.slot] as BoundProgram["tables"][number];
    const inside = shape.map((size, axis) => Math.min(Math.max(of(axis), 0), size - 1));
    const at = inside.reduce((sum, index, axis) => sum * (shape[axis] as number) + index, 0);
    return dtype === "bool" ? Number(data[at] !== 0) : (data[at] as number);
  }
  const chosen = node.op === "where" ? 1 : 0;
  const { type } = nodes[node.args[chosen] as number] as ProgramNode;
  if (node.op === "where") return of(0) === 1 ? of(1) : of(2);
  if (node.op === "astype") return cast(of(0), node.type);
  const [a, b] = [of(0), node.args.length > 1 ? of(1) : 0];
  switch (node.op) {
    case "equal":
      return Number(a === b);
    case "notEqual":
      return Number(a !== b);
    case "less":
      return Number(a < b);
    case "lessEqual":
      return Number(a <= b);
    case "greater":
      return Number(a > b);
    case "greaterEqual":
      return Number(a >= b);
    case "and":
      return Number(a === 1 && b === 1);
    case "or":
      return Number(a === 1 || b === 1);
    case "not":
      return Number(a === 0);
  }
  return type === "int32" ? intStep(node.op, a, b) : f(floatStep(node.op, a, b, f));
}

/** In integers without bounds, wrapped once. */
function intStep(op: string, x: number, y: number): number {
  const [a, b] = [BigInt(x), BigInt(y)];
  const quotient = b === 0n ? 0n : (a - (((a % b) + b) % b)) / b;
  switch (op) {
    case "add":
      return int32(a + b);
    case "subtract":
      return int32(a - b);
    case "multiply":
      return int32(a * b);
    case "floorDivide":
      return int32(quotient);
    case "remainder":
      return b === 0n ? 0 : int32(a - quotient * b);
    case "negative":
      return int32(-a);
    case "abs":
      return int32(a < 0n ? -a : a);
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
