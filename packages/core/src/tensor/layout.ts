import { describeValue, InvalidInputError } from "../errors.js";
import { unreadable } from "../options.js";

/** The largest number of elements: what a signed 32-bit index reaches in every backend. */
export const maxElements: number = 2 ** 31 - 1;

/** Which elements of its data a tensor consists of; all in elements. */
export interface Layout {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

/**
 * Number of elements of a shape; 1 for a scalar.
 *
 * @throws InvalidInputError for what is no array of sizes
 */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  try {
    if (!Array.isArray(shape)) throw notSizes("shape", shape);
    for (let axis = 0; axis < shape.length; axis++) {
      const size = shape[axis];
      if (!isSize(size)) throw notSizes("shape", shape);
      count *= size;
    }
  } catch (error) {
    throw unreadable("shape", error);
  }
  return count;
}

/**
 * Strides of a row-major tensor without gaps.
 *
 * @throws InvalidInputError for what is no array of sizes
 */
export function rowMajorStrides(shape: readonly number[]): number[] {
  const sizes = readSizes("shape", shape);
  const strides = new Array<number>(sizes.length);
  let stride = 1;
  for (let axis = sizes.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= sizes[axis] as number;
  }
  return strides;
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let axis = 0; axis < a.length; axis++) if (a[axis] !== b[axis]) return false;
  return true;
}

/** Whether elements stand in row-major order without gaps (from any offset). */
export function isRowMajor({ shape, strides }: Layout): boolean {
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number;
    if (size === 0) return true;
    if (size !== 1 && strides[axis] !== stride) return false;
    stride *= size;
  }
  return true;
}

/** Index after the last element that a layout reaches; 0 if it has no elements. */
export function endOf({ shape, strides, offset }: Layout): number {
  let last = offset;
  for (let axis = 0; axis < shape.length; axis++) {
    const size = shape[axis] as number;
    if (size === 0) return 0;
    last += (strides[axis] as number) * (size - 1);
  }
  return last + 1;
}

/**
 * A copy of a shape, each size read once.
 *
 * @throws InvalidInputError unless it is an array of sizes with at most 2^31 − 1 elements in all
 */
export function readShape(argument: string, shape: unknown): number[] {
  const sizes = readSizes(argument, shape);
  let count = 1;
  for (let axis = 0; axis < sizes.length; axis++) {
    const size = sizes[axis] as number;
    // Every size counts, also beside a zero: an axis that no index type reaches helps nobody.
    if (size > maxElements) throw notSizes(argument, sizes);
    count *= size;
  }
  if (count > maxElements) {
    throw new InvalidInputError(
      argument,
      "at most 2^31 − 1 elements in all",
      `${describeValue(sizes)}, ${count} elements`,
    );
  }
  return sizes;
}

/**
 * A shape that cannot change: the given one if it cannot, else a copy.
 *
 * @throws InvalidInputError as {@link readShape}
 */
export function frozenShape(argument: string, shape: readonly number[]): readonly number[] {
  if (frozenStrides.has(shape)) return shape;
  const sizes = readShape(argument, shape);
  return Object.isFrozen(shape) ? shape : Object.freeze(sizes);
}

/** Row-major strides of frozen shapes, each made once: the outputs of a problem have the same shape in each call. */
const frozenStrides = new WeakMap<readonly number[], readonly number[]>();

/** @param shape of {@link frozenShape} */
export function frozenStridesOf(shape: readonly number[]): readonly number[] {
  let strides = frozenStrides.get(shape);
  if (strides === undefined) {
    strides = Object.freeze(rowMajorStrides(shape));
    frozenStrides.set(shape, strides);
  }
  return strides;
}

/** @throws InvalidInputError as {@link readShape} */
export function checkShape(argument: string, shape: unknown): asserts shape is readonly number[] {
  readShape(argument, shape);
}

/** The most axes that a shape may have: more are an array that was meant for something else. */
const mostAxes = 64;

function readSizes(argument: string, shape: unknown): number[] {
  try {
    if (!Array.isArray(shape) || shape.length > mostAxes) throw notSizes(argument, shape);
    const axes = shape.length;
    // Made with its full length: an array that grows takes room for sixteen more.
    const sizes = new Array<number>(axes);
    for (let axis = 0; axis < axes; axis++) {
      const size: unknown = shape[axis];
      if (!isSize(size)) throw notSizes(argument, shape);
      sizes[axis] = size;
    }
    return sizes;
  } catch (error) {
    throw unreadable(argument, error);
  }
}

function isSize(size: unknown): size is number {
  return Number.isInteger(size) && (size as number) >= 0;
}

function notSizes(argument: string, shape: unknown): InvalidInputError {
  const expected = Array.isArray(shape) ? "integers from 0 to 2^31 − 1" : "an array of sizes";
  return new InvalidInputError(argument, expected, describeValue(shape));
}

/**
 * A copy of strides, each read once.
 *
 * @throws InvalidInputError unless there is one integer ≥ 0 for each axis
 */
export function readStrides(argument: string, strides: unknown, axes: number): number[] {
  try {
    if (!Array.isArray(strides) || strides.length !== axes) {
      throw new InvalidInputError(
        argument,
        `one stride for each of ${axes} axes`,
        describeValue(strides),
      );
    }
    const steps = new Array<number>(axes);
    for (let axis = 0; axis < axes; axis++) {
      const stride: unknown = strides[axis];
      if (!Number.isSafeInteger(stride) || (stride as number) < 0) {
        throw new InvalidInputError(argument, "integers ≥ 0, in elements", describeValue(strides));
      }
      steps[axis] = stride as number;
    }
    return steps;
  } catch (error) {
    throw unreadable(argument, error);
  }
}

/**
 * Visits a layout in row-major order, in the longest runs of elements that stand at one distance from
 * each other; a scalar is one run.
 *
 * @param visit gets where the run starts, its length, and the distance between neighbours
 */
export function forEachRun(
  layout: Layout,
  visit: (start: number, length: number, stride: number) => void,
): void {
  const { sizes, steps } = joinAxes(layout);
  if (sizes.includes(0)) return;
  const last = sizes.length - 1;
  const length = sizes[last] as number;
  const stride = steps[last] as number;
  const index = new Array<number>(last).fill(0);
  let start = layout.offset;
  for (;;) {
    visit(start, length, stride);
    let axis = last - 1;
    for (; axis >= 0; axis--) {
      start += steps[axis] as number;
      index[axis] = (index[axis] as number) + 1;
      if ((index[axis] as number) < (sizes[axis] as number)) break;
      start -= (steps[axis] as number) * (sizes[axis] as number);
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}

/** The same elements in the same order with as few axes as possible, at least one. */
function joinAxes({ shape, strides }: Layout): { sizes: number[]; steps: number[] } {
  const sizes: number[] = [];
  const steps: number[] = [];
  for (let axis = 0; axis < shape.length; axis++) {
    const size = shape[axis] as number;
    const step = strides[axis] as number;
    if (size === 1) continue;
    const outer = sizes.length - 1;
    if (outer >= 0 && steps[outer] === step * size) {
      sizes[outer] = (sizes[outer] as number) * size;
      steps[outer] = step;
    } else {
      sizes.push(size);
      steps.push(step);
    }
  }
  return sizes.length > 0 ? { sizes, steps } : { sizes: [1], steps: [1] };
}
