import { constant, constantValue, type Expression } from "../../../program/expression.js";
import type { NumberExpression } from "../../../program/functions.js";
import * as p from "../../../program/functions.js";
import { type Table, table } from "../../../program/sources.js";
import type { ProgramType } from "../../../program/types.js";
import { type HostTensor, tensor } from "../../../tensor/tensor.js";

/** An index along an axis. */
export type Index = NumberExpression;

/** Number of an expression among all indices, so that places can be told apart. */
const numbers = new WeakMap<Expression, number>();
let count = 0;

function numberOf(index: Index): number | string {
  const value = constantValue(index);
  if (value !== undefined) return `c${value}`;
  let number = numbers.get(index);
  if (number === undefined) {
    number = count++;
    numbers.set(index, number);
  }
  return number;
}

/**
 * A tensor of an ONNX graph whose elements are expressions of a program: a function of indices. Nothing of its
 * size is made.
 */
export class SymbolicTensor {
  readonly type: ProgramType;
  readonly shape: readonly number[];
  /** Whether it holds the graph's scores, or anything computed from them. */
  readonly hasScores: boolean;
  readonly #element: (indices: readonly Index[]) => Expression;
  readonly #known = new Map<string, Expression>();

  constructor(
    type: ProgramType,
    shape: readonly number[],
    hasScores: boolean,
    element: (indices: readonly Index[]) => Expression,
  ) {
    this.type = type;
    this.shape = shape;
    this.hasScores = hasScores;
    this.#element = element;
  }

  /** The element at indices, one an axis, each within its axis. */
  at(indices: readonly Index[]): Expression {
    // An axis of one element has the index 0, whatever counts along it.
    const within = indices.map((index, axis) => (this.shape[axis] === 1 ? zero : index));
    const key = within.map(numberOf).join();
    let element = this.#known.get(key);
    if (element === undefined) {
      element = this.#element(within);
      this.#known.set(key, element);
    }
    return element;
  }

  /** The element at indices of a shape that this one broadcasts to. */
  broadcastAt(indices: readonly Index[]): Expression {
    return this.at(indices.slice(indices.length - this.shape.length));
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  /** The elements of a small tensor that does not depend on any variable; null if it does, or has more than `most`. */
  known(most = 64): readonly number[] | null {
    if (this.size > most) return null;
    const values: number[] = [];
    for (let at = 0; at < this.size; at++) {
      const value = constantValue(this.at(unravelled(at, this.shape).map(int)));
      if (value === undefined) return null;
      values.push(value);
    }
    return values;
  }
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** An index that is the same everywhere. */
export function int(value: number): Expression<"int32"> {
  return constant("int32", value);
}

const zero = int(0);

function unravelled(at: number, shape: readonly number[]): number[] {
  const indices: number[] = [];
  let rest = at;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number;
    indices.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return indices;
}

/** A place in row-major order, by the indices of a shape. */
export function placeOf(indices: readonly Index[], shape: readonly number[]): Index {
  return indices.reduce<Index>(
    (place, index, axis) => p.add(p.multiply(place, shape[axis] as number), index),
    zero,
  );
}

/** The indices of a shape at a place in row-major order. */
export function indicesAt(place: Index, shape: readonly number[]): Index[] {
  const indices: Index[] = [];
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number;
    const whole = stride === 1 ? place : p.floorDivide(place, stride);
    indices.unshift(size === 1 ? zero : axis === 0 ? whole : p.remainder(whole, size));
    stride *= size;
  }
  return indices;
}

/** Elements of a tensor whose values are known, and lie one after another. */
export type Elements = Int32Array | Float32Array | Uint8Array;

/** A tensor of known elements, in row-major order: a constant where it has one or the index is known, else a table. */
export function constantTensor(
  type: ProgramType,
  shape: readonly number[],
  elements: Elements,
): SymbolicTensor {
  const axes = shape.flatMap((size, axis) => (size === 1 ? [] : [axis]));
  const flat = axes.length > 4;
  const sizes = flat ? [elements.length] : axes.map((axis) => shape[axis] as number);
  let looked: Table | null = null;
  return new SymbolicTensor(type, shape, false, (indices) => {
    const place = constantValue(placeOf(indices, shape));
    if (place !== undefined) return constant(type, elements[place] as number);
    looked ??= table(tensor(elements, sizes, { dtype: type }) as HostTensor<ProgramType>);
    return looked.at(
      ...(flat ? [placeOf(indices, shape)] : axes.map((axis) => indices[axis] as Index)),
    );
  });
}

/** A single number. */
export function numberTensor(type: ProgramType, value: number): SymbolicTensor {
  return new SymbolicTensor(type, [], false, () => constant(type, value));
}
