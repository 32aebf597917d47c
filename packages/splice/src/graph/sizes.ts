import type { Folder } from "./fold.js";
import type { GraphNode, ModelGraph } from "./graph.js";

/** Operators whose result has the sizes of their first input. */
const same = new Set([
  "Cast",
  "Clip",
  "Dropout",
  "Elu",
  "Erf",
  "Gelu",
  "HardSigmoid",
  "HardSwish",
  "Identity",
  "LayerNormalization",
  "LeakyRelu",
  "Neg",
  "RMSNormalization",
  "Relu",
  "RotaryEmbedding",
  "Sigmoid",
  "SimplifiedLayerNormalization",
  "SkipLayerNormalization",
  "Softmax",
  "Sqrt",
  "Tanh",
  "Trilu",
]);

const broadcasting = new Set(["Add", "Sub", "Mul", "Div", "Pow", "Where", "Max", "Min"]);

/** Sizes of values as far as the file says them; NaN where a call decides. */
export class Sizes {
  readonly #graph: ModelGraph;
  readonly #folder: Folder;
  readonly #known = new Map<string, number[] | undefined>();

  constructor(graph: ModelGraph, folder: Folder) {
    this.#graph = graph;
    this.#folder = folder;
  }

  /** Undefined where not even the rank is known. */
  of(value: string | undefined, depth = 0): number[] | undefined {
    if (!value || depth > 48) return undefined;
    if (this.#known.has(value)) return this.#known.get(value);
    const node = this.#graph.producer(value);
    const sizes = this.#folder.declared(value) ?? (node && this.#made(node, value, depth + 1));
    this.#known.set(value, sizes);
    return sizes;
  }

  #made(node: GraphNode, value: string, depth: number): number[] | undefined {
    const input = (at: number): number[] | undefined => this.of(node.inputs[at], depth);
    const axes = (at: number): number[] | undefined =>
      node.integers("axes") ?? this.#folder.integers(node.inputs[at]);
    const x = input(0);
    if (same.has(node.operator)) return x;
    if (broadcasting.has(node.operator)) {
      return node.inputs.map((_, at) => input(at)).reduce(broadcast);
    }
    switch (node.operator) {
      case "Reshape": {
        const told = this.#folder.constant(node.inputs[1]);
        return told && reshaped(x, Array.from(told.data));
      }
      case "Transpose":
        return x && node.integers("perm")?.map((axis) => x[axis] ?? Number.NaN);
      case "Unsqueeze":
        return x && unsqueezed(x, axes(1));
      case "Squeeze":
        return x && squeezed(x, axes(1));
      case "Gather":
        return gathered(x, input(1), node.integer("axis") ?? 0);
      case "Slice":
        return x && unknownAlong(x, axes(3));
      case "Concat":
        return concatenated(
          node.inputs.map((_, at) => input(at)),
          node.integer("axis") ?? 0,
        );
      case "Split":
        return x && this.#split(node, value, x);
      case "MatMul":
        return multiplied(x, input(1));
      case "Gemm": {
        const columns = input(1)?.[node.integer("transB") === 1 ? 0 : 1];
        return [Number.NaN, columns ?? Number.NaN];
      }
      default:
        return undefined;
    }
  }

  #split(node: GraphNode, value: string, x: readonly number[]): number[] {
    const axis = fromStart(node.integer("axis") ?? 0, x.length);
    const parts = node.integers("split") ?? this.#folder.integers(node.inputs[1]);
    const size = parts?.[node.outputs.indexOf(value)] ?? (x[axis] as number) / node.outputs.length;
    return x.map((own, i) => (i === axis ? size : own));
  }
}

function fromStart(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

function broadcast(a: number[] | undefined, b: number[] | undefined): number[] | undefined {
  if (!a || !b) return undefined;
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    return x === 1 ? y : y === 1 || Number.isNaN(y) ? x : y;
  });
}

function reshaped(x: readonly number[] | undefined, shape: readonly number[]): number[] {
  const told = shape.map((size, i) => (size === 0 ? (x?.[i] ?? Number.NaN) : size));
  const rest = told.reduce((product, size) => (size === -1 ? product : product * size), 1);
  const open = (x?.reduce((product, size) => product * size, 1) ?? Number.NaN) / rest;
  return told.map((size) => (size === -1 ? open : size));
}

function unsqueezed(x: readonly number[], axes: number[] | undefined): number[] | undefined {
  if (!axes) return undefined;
  const rank = x.length + axes.length;
  const put = new Set(axes.map((axis) => fromStart(axis, rank)));
  const left = [...x];
  return Array.from({ length: rank }, (_, axis) => (put.has(axis) ? 1 : (left.shift() as number)));
}

function squeezed(x: readonly number[], axes: number[] | undefined): number[] | undefined {
  const gone = axes && new Set(axes.map((axis) => fromStart(axis, x.length)));
  return gone && x.filter((_, axis) => !gone.has(axis));
}

function gathered(
  x: number[] | undefined,
  at: number[] | undefined,
  axis: number,
): number[] | undefined {
  if (!x || !at) return undefined;
  const along = fromStart(axis, x.length);
  return [...x.slice(0, along), ...at, ...x.slice(along + 1)];
}

function unknownAlong(x: readonly number[], axes: number[] | undefined): number[] {
  const cut = axes?.map((axis) => fromStart(axis, x.length));
  return x.map((size, i) => (!cut || cut.includes(i) ? Number.NaN : size));
}

function concatenated(
  parts: readonly (number[] | undefined)[],
  axis: number,
): number[] | undefined {
  const known = parts.find((part) => part);
  if (!known) return undefined;
  const along = fromStart(axis, known.length);
  return known.map((size, i) => {
    if (i === along) return parts.reduce((sum, part) => sum + (part?.[i] ?? Number.NaN), 0);
    return parts.map((part) => part?.[i] ?? Number.NaN).find((one) => one >= 0) ?? size;
  });
}

function multiplied(a: number[] | undefined, b: number[] | undefined): number[] | undefined {
  if (!a) return undefined;
  const columns = b?.at(-1) ?? Number.NaN;
  const lead = broadcast(a.slice(0, -2), b?.slice(0, -2) ?? []) ?? [];
  return a.length < 2 ? undefined : [...lead, a.at(-2) as number, columns];
}
