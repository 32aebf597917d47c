import { constant, constantValue, type Expression } from "../../../program/expression.js";
import type { NumberExpression } from "../../../program/functions.js";
import * as p from "../../../program/functions.js";
import type { GraphNode } from "./node.js";
import {
  constantTensor,
  type Index,
  indicesAt,
  int,
  numberTensor,
  placeOf,
  SymbolicTensor,
  sizeOf,
} from "./symbolic-tensor.js";

/** The first input, which must not hold scores: a program sees the score of its own query and key alone. */
function moved(node: GraphNode, least: number, most: number = least): SymbolicTensor {
  const [input] = node.needed(least, most) as readonly [SymbolicTensor];
  return still(node, input);
}

function still(node: GraphNode, input: SymbolicTensor): SymbolicTensor {
  if (!input.hasScores) return input;
  throw node.wrong(
    "a value that is not computed from the scores, which stay in their places",
    "scores",
  );
}

function view(
  { type, hasScores }: SymbolicTensor,
  shape: readonly number[],
  element: (indices: readonly Index[]) => Expression,
): SymbolicTensor {
  return new SymbolicTensor(type, shape, hasScores, element);
}

function reshaped(
  node: GraphNode,
  input: SymbolicTensor,
  shape: readonly number[],
): SymbolicTensor {
  if (sizeOf(shape) !== input.size) {
    throw node.wrong(`a shape of ${input.size} elements`, `[${shape.join(", ")}]`);
  }
  if (shape.join() === input.shape.join()) return input;
  still(node, input);
  const wide = (sizes: readonly number[]): number[] =>
    sizes.flatMap((size, axis) => (size === 1 ? [] : [axis]));
  const [from, to] = [wide(input.shape), wide(shape)];
  const same =
    from.map((axis) => input.shape[axis]).join() === to.map((axis) => shape[axis]).join();
  if (!same)
    return view(input, shape, (indices) =>
      input.at(indicesAt(placeOf(indices, shape), input.shape)),
    );
  // Axes of one element come and go.
  return view(input, shape, (indices) =>
    input.at(
      input.shape.map((size, axis) =>
        size === 1 ? int(0) : (indices[to[from.indexOf(axis)] as number] as Index),
      ),
    ),
  );
}

function reshape(node: GraphNode): SymbolicTensor {
  const [input] = node.inputs(2) as readonly [SymbolicTensor];
  const keepsZero = node.integer("allowzero", 0) === 1;
  const sizes = (node.integers(1) as readonly number[]).map((size, axis) =>
    size === 0 && !keepsZero ? (input.shape[axis] ?? 0) : size,
  );
  const rest = sizes.indexOf(-1);
  if (rest >= 0) {
    const others = sizes.reduce(
      (product, size, axis) => (axis === rest ? product : product * size),
      1,
    );
    sizes[rest] = others === 0 ? 0 : Math.floor(input.size / others);
  }
  return reshaped(node, input, sizes);
}

function axesOf(node: GraphNode): readonly number[] | null {
  return node.integers(1) ?? node.list("axes");
}

function unsqueeze(node: GraphNode): SymbolicTensor {
  const [input] = node.needed(1, 2) as readonly [SymbolicTensor];
  const axes = axesOf(node) ?? [];
  const rank = input.shape.length + axes.length;
  const added = new Set(axes.map((axis) => node.axis(axis, rank)));
  const sizes = [...input.shape];
  return reshaped(
    node,
    input,
    Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : (sizes.shift() ?? 1))),
  );
}

function squeeze(node: GraphNode): SymbolicTensor {
  const [input] = node.needed(1, 2) as readonly [SymbolicTensor];
  const axes = axesOf(node)?.map((axis) => node.axis(axis, input.shape.length));
  return reshaped(
    node,
    input,
    input.shape.filter((size, axis) => (axes ? !axes.includes(axis) : size !== 1)),
  );
}

function expand(node: GraphNode): SymbolicTensor {
  const [input] = node.inputs(2) as readonly [SymbolicTensor];
  const asked = node.integers(1) as readonly number[];
  const rank = Math.max(asked.length, input.shape.length);
  const shape = Array.from({ length: rank }, (_, axis) => {
    const own = input.shape[input.shape.length - rank + axis] ?? 1;
    const size = asked[asked.length - rank + axis] ?? 1;
    if (own !== size && own !== 1 && size !== 1) {
      throw node.wrong(
        `a shape that [${input.shape.join(", ")}] broadcasts to`,
        `[${asked.join(", ")}]`,
      );
    }
    return own === 1 ? size : own;
  });
  if (shape.join() === input.shape.join()) return input;
  still(node, input);
  return view(input, shape, (indices) => input.broadcastAt(indices));
}

function transpose(node: GraphNode): SymbolicTensor {
  const input = moved(node, 1);
  const rank = input.shape.length;
  const perm = node.list("perm") ?? input.shape.map((_, axis) => rank - 1 - axis);
  if ([...perm].sort((a, b) => a - b).join() !== input.shape.map((_, axis) => axis).join()) {
    throw node.wrong(`an order of ${rank} axes as perm`, `[${perm.join(", ")}]`);
  }
  return view(
    input,
    perm.map((axis) => input.shape[axis] as number),
    (indices) => input.at(input.shape.map((_, axis) => indices[perm.indexOf(axis)] as Index)),
  );
}

function gather(node: GraphNode): SymbolicTensor {
  const data = moved(node, 2);
  const places = node.inputs(2)[1] as SymbolicTensor;
  if (places.type !== "int32") throw node.wrong("integers as input 1", places.type);
  const axis = node.axis(node.integer("axis", 0), data.shape.length);
  const size = data.shape[axis] as number;
  const shape = [...data.shape.slice(0, axis), ...places.shape, ...data.shape.slice(axis + 1)];
  return new SymbolicTensor(data.type, shape, places.hasScores, (indices) => {
    const end = axis + places.shape.length;
    const place = places.at(indices.slice(axis, end)) as NumberExpression;
    const fromStart = counted(place, size);
    return data.at([...indices.slice(0, axis), fromStart, ...indices.slice(end)]);
  });
}

/** An index, of which negative ones count from the end. */
function counted(index: NumberExpression, size: number): NumberExpression {
  const value = constantValue(index);
  if (value !== undefined) return int(value < 0 ? value + size : value);
  return p.where(p.less(index, 0), p.add(index, size), index);
}

function slice(node: GraphNode): SymbolicTensor {
  const input = moved(node, 3, 5);
  const [starts, ends] = [node.integers(1), node.integers(2)] as [
    readonly number[],
    readonly number[],
  ];
  const axes = node.integers(3) ?? starts.map((_, axis) => axis);
  const steps = node.integers(4) ?? starts.map(() => 1);
  const lists = [starts, ends, axes, steps].map(({ length }) => length);
  if (lists.some((length) => length !== starts.length)) {
    const [s, e, a, b] = lists;
    throw node.wrong("as many ends, axes and steps as starts", `${s}, ${e}, ${a} and ${b}`);
  }
  const shape = [...input.shape];
  const from = input.shape.map(() => 0);
  const by = input.shape.map(() => 1);
  for (const [n, given] of axes.entries()) {
    const axis = node.axis(given, input.shape.length);
    const size = input.shape[axis] as number;
    const step = steps[n] as number;
    if (step === 0) throw node.wrong("steps other than 0", "0");
    const within = (place: number, low: number, high: number): number =>
      Math.max(low, Math.min(high, place < 0 ? place + size : place));
    const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
    const start = within(starts[n] as number, Math.max(0, low), high);
    const end = within(ends[n] as number, low, high);
    shape[axis] = Math.max(0, Math.ceil((end - start) / step));
    [from[axis], by[axis]] = [start, step];
  }
  return view(input, shape, (indices) =>
    input.at(
      indices.map((index, axis) =>
        p.add(p.multiply(index, by[axis] as number), from[axis] as number),
      ),
    ),
  );
}

function concat(node: GraphNode): SymbolicTensor {
  const parts = node.inputs(1, 64).map((part) => still(node, part));
  const first = parts[0] as SymbolicTensor;
  const axis = node.axis(node.integer("axis", 0), first.shape.length);
  for (const { type, shape } of parts) {
    const fits = type === first.type && shape.length === first.shape.length;
    if (fits && shape.every((size, n) => n === axis || size === first.shape[n])) continue;
    throw node.wrong(
      `values of ${first.type} that fit [${first.shape.join(", ")}]`,
      `${type} of [${shape.join(", ")}]`,
    );
  }
  const total = parts.reduce((sum, { shape }) => sum + (shape[axis] as number), 0);
  const shape = first.shape.map((size, n) => (n === axis ? total : size));
  return view(first, shape, (indices) => {
    const place = indices[axis] as Index;
    let start = total;
    let element: Expression | null = null;
    for (const part of [...parts].reverse()) {
      start -= part.shape[axis] as number;
      const own = indices.map((index, n) => (n === axis ? p.subtract(place, start) : index));
      const here = (): Expression => part.at(own);
      const value = constantValue(place);
      if (value !== undefined) {
        if (value >= start && value < start + (part.shape[axis] as number)) return here();
      } else {
        element =
          element === null
            ? here()
            : p.where(
                p.less(place, start + (part.shape[axis] as number)),
                here() as never,
                element as never,
              );
      }
    }
    return element as Expression;
  });
}

function shapeOf(node: GraphNode): SymbolicTensor {
  const [input] = node.inputs(1) as readonly [SymbolicTensor];
  const rank = input.shape.length;
  const place = (value: number): number =>
    Math.max(0, Math.min(rank, value < 0 ? value + rank : value));
  const sizes = input.shape.slice(
    place(node.integer("start", 0)),
    place(node.integer("end", rank)),
  );
  return constantTensor("int32", [sizes.length], Int32Array.from(sizes));
}

function range(node: GraphNode): SymbolicTensor {
  const [start, limit, delta] = node.inputs(3).map((input, n) => {
    const [value] = input.known(1) ?? [];
    if (value !== undefined) return { value, type: input.type };
    throw node.wrong(`input ${n} that depends on constants and shapes alone`, "another");
  }) as [{ value: number; type: "int32" }, { value: number }, { value: number }];
  if (delta.value === 0) throw node.wrong("a delta other than 0", "0");
  const length = Math.max(0, Math.ceil((limit.value - start.value) / delta.value));
  const { type } = start;
  return new SymbolicTensor(type, [length], false, ([i]) => {
    const index = type === "int32" ? (i as Index) : p.astype(i as Index, "float32");
    const step = p.multiply(index, constant(type, delta.value));
    return p.add(step, constant(type, start.value));
  });
}

/** Operators that give values other places or say sizes. */
export const movement: Readonly<Record<string, (node: GraphNode) => SymbolicTensor>> = {
  Reshape: reshape,
  Unsqueeze: unsqueeze,
  Squeeze: squeeze,
  Expand: expand,
  Transpose: transpose,
  Gather: gather,
  Slice: slice,
  Concat: concat,
  Shape: shapeOf,
  Size: (node) => numberTensor("int32", (node.inputs(1)[0] as SymbolicTensor).size),
  Range: range,
};
