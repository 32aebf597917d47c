import { TensorProto_DataType as Type, type ValueInfoProto } from "@heed/backend-onnx/proto";
import { elementCount } from "@heed/core";
import { type Constant, isFloatType, readConstant } from "./constant.js";
import type { GraphNode, ModelGraph } from "./graph.js";

/**
 * Folds constants of a graph as far as the recognition needs them: scales, axes and shapes. Elements of an
 * integer tensor that depend on the call are NaN, so that a shape may be known in part.
 */
export class Folder {
  readonly #graph: ModelGraph;
  readonly #known = new Map<string, Constant | undefined>();
  readonly #types: ReadonlyMap<string, ValueInfoProto>;

  constructor(graph: ModelGraph) {
    this.#graph = graph;
    const { input, valueInfo, output } = graph.proto;
    this.#types = new Map([...valueInfo, ...output, ...input].map((one) => [one.name, one]));
  }

  /** The elements of a value, some of which may be NaN; undefined if even their number is unknown. */
  constant(name: string | undefined): Constant | undefined {
    if (!name) return undefined;
    if (this.#known.has(name)) return this.#known.get(name);
    this.#known.set(name, undefined); // stands until the value is found, and ends circles
    const weight = this.#graph.initializers.get(name);
    const node = this.#graph.producer(name);
    const folded = weight ? readConstant(weight) : node && this.#fold(node);
    this.#known.set(name, folded);
    return folded;
  }

  /** A single number, of whatever shape with one element; undefined if it is not known. */
  number(name: string | undefined): number | undefined {
    const found = this.scalar(name);
    if (!found || Number.isNaN(found.data[0])) return undefined;
    return found.data[0];
  }

  /** A tensor of one element; larger ones are not read. */
  scalar(name: string | undefined): Constant | undefined {
    const weight = name
      ? (this.#graph.initializers.get(name) ??
        this.#graph.made(name, "Constant")?.attribute("value")?.t)
      : undefined;
    if (weight && elementCount(weight.dims.map(Number)) !== 1) return undefined;
    const found = this.constant(name);
    return found?.data.length === 1 ? found : undefined;
  }

  /** Integers, all of them known. */
  integers(name: string | undefined): number[] | undefined {
    const found = this.constant(name);
    const list = found && Array.from(found.data);
    return list?.every((one) => Number.isInteger(one)) ? list : undefined;
  }

  /** Sizes that the file declares for a value; NaN for those of a call. */
  declared(name: string): number[] | undefined {
    const weight = this.#graph.initializers.get(name);
    if (weight) return weight.dims.map(Number);
    const type = this.#types.get(name)?.type?.value;
    if (type?.case !== "tensorType" || !type.value.shape) return undefined;
    return type.value.shape.dim.map(({ value }) =>
      value.case === "dimValue" ? Number(value.value) : Number.NaN,
    );
  }

  #fold(node: GraphNode): Constant | undefined {
    const input = (at: number): Constant | undefined => this.constant(node.inputs[at]);
    const x = (): Constant | undefined => input(0);
    switch (node.operator) {
      case "Constant":
        return constantOf(node);
      case "Identity":
      case "Dropout":
        return x();
      case "Shape":
        return shapeOf(this.declared(node.inputs[0] as string), node);
      case "Cast": {
        const found = x();
        const to = node.integer("to") ?? 0;
        return found && { ...found, float: isFloatType(to), bool: to === Type.BOOL };
      }
      case "Unsqueeze":
      case "Squeeze":
      case "Reshape":
        return reshaped(node, x(), node.integers("axes") ?? this.integers(node.inputs[1]));
      case "Concat":
        return concatenated(node.inputs.map((name) => this.constant(name)));
      case "Gather":
        return gathered(this.#graph.made(node.inputs[0], "Shape"), x(), input(1));
      case "Slice":
        return sliced(
          x(),
          node.integers("starts") ?? this.integers(node.inputs[1]),
          node.integers("ends") ?? this.integers(node.inputs[2]),
          this.#graph.made(node.inputs[0], "Shape", "Cast") !== undefined,
        );
      default:
        return calculated(node.operator, x(), input(1));
    }
  }
}

function constantOf(node: GraphNode): Constant | undefined {
  const tensor = node.attribute("value")?.t;
  if (tensor) return readConstant(tensor);
  const float = node.float("value_float");
  if (float !== undefined) return { dims: [], data: [float], bool: false, float: true };
  const integer = node.integer("value_int");
  if (integer !== undefined) return { dims: [], data: [integer], bool: false, float: false };
  const integers = node.integers("value_ints");
  return integers && { dims: [integers.length], data: integers, bool: false, float: false };
}

function shapeOf(sizes: number[] | undefined, node: GraphNode): Constant | undefined {
  const kept = sizes?.slice(node.integer("start") ?? 0, node.integer("end"));
  return kept && { dims: [kept.length], data: kept, bool: false, float: false };
}

function reshaped(
  { operator }: GraphNode,
  x: Constant | undefined,
  axes: number[] | undefined,
): Constant | undefined {
  if (!x || x.data.length > 64) return undefined;
  const one = x.data.length === 1;
  if (operator === "Unsqueeze" && axes && x.dims.length === 0) {
    return { ...x, dims: axes.map(() => 1) };
  }
  if (operator === "Squeeze" && one) return { ...x, dims: [] };
  if (operator === "Reshape" && one && axes) return { ...x, dims: axes.map(() => 1) };
  // A list stays a list.
  return operator === "Reshape" && axes?.length === 1 ? { ...x, dims: [x.data.length] } : undefined;
}

function concatenated(parts: readonly (Constant | undefined)[]): Constant | undefined {
  const data: number[] = [];
  for (const part of parts) {
    if (part?.dims.length !== 1 || part.data.length > 64) return undefined;
    data.push(...Array.from(part.data));
  }
  return { dims: [data.length], data, bool: false, float: parts[0]?.float === true };
}

/** @param shape the node whose list of sizes is read: one element of it is unknown, but is one number */
function gathered(
  shape: GraphNode | undefined,
  x: Constant | undefined,
  at: Constant | undefined,
): Constant | undefined {
  if (!at || (x && x.dims.length !== 1) || (!x && !shape)) return undefined;
  const data = Array.from(at.data, (index) =>
    x ? Number(x.data[index < 0 ? index + x.data.length : index] ?? Number.NaN) : Number.NaN,
  );
  return { dims: at.dims, data, bool: false, float: x?.float ?? false };
}

/** @param ofShape whether it is a list of sizes, of which a part is as long as it says */
function sliced(
  x: Constant | undefined,
  starts: number[] | undefined,
  ends: number[] | undefined,
  ofShape: boolean,
): Constant | undefined {
  const [start, end] = [starts?.[0], ends?.[0]];
  if (start === undefined || end === undefined || starts?.length !== 1) return undefined;
  if (!x && ofShape && start >= 0 && end > start && end <= 8) {
    const unknown = Array<number>(end - start).fill(Number.NaN);
    return { dims: [unknown.length], data: unknown, bool: false, float: false };
  }
  if (x?.dims.length !== 1) return undefined;
  const data = Array.from(x.data).slice(start, end);
  return { ...x, dims: [data.length], data };
}

function calculated(
  operator: string,
  a: Constant | undefined,
  b: Constant | undefined,
): Constant | undefined {
  const one = unary[operator];
  if (one && a && a.data.length <= 64) return { ...a, data: Array.from(a.data, one) };
  const two = binary[operator];
  if (!two || !a || !b) return undefined;
  const [n, m] = [a.data.length, b.data.length];
  if (Math.max(n, m) > 64 || (n !== m && n !== 1 && m !== 1)) return undefined;
  const whole = !a.float && operator === "Div" ? Math.trunc : (value: number) => value;
  const data = Array.from({ length: Math.max(n, m) }, (_, i) =>
    whole(two(a.data[n === 1 ? 0 : i] as number, b.data[m === 1 ? 0 : i] as number)),
  );
  return { ...(n >= m ? a : b), data };
}

const unary: Readonly<Record<string, (x: number) => number>> = {
  Sqrt: Math.sqrt,
  Reciprocal: (x) => 1 / x,
  Neg: (x) => -x,
  Floor: Math.floor,
};

const binary: Readonly<Record<string, (x: number, y: number) => number>> = {
  Add: (x, y) => x + y,
  Sub: (x, y) => x - y,
  Mul: (x, y) => x * y,
  Div: (x, y) => x / y,
  Pow: (x, y) => x ** y,
};
