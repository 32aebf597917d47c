/** A tensor in a buffer, as kernels address it: an element is at the sum of index · stride. */
export interface Strided {
  /** Index of element [0, …, 0] in the buffer, in elements. */
  readonly offset: number;
  /** The stride of each axis in elements; 0 repeats. */
  readonly strides: readonly number[];
  readonly elementBytes: number;
}

/** A tensor whose axes are batch, head, row and column. */
export interface Operand extends Strided {
  readonly strides: readonly [number, number, number, number];
}

/** From `first` to before `end`. */
export interface Range {
  readonly first: number;
  readonly end: number;
}

export function length({ first, end }: Range): number {
  return end - first;
}

/** A part of a problem that one dispatch computes: a range of each axis, by name. */
export type Ranges<R> = { readonly [Axis in keyof R]: Range };

/** A part of a problem of attention or the like. Heads and rows are the grid's. */
export interface Region {
  readonly batches: Range;
  readonly heads: Range;
  readonly rows: Range;
  readonly keys: Range;
}

/** The elements of an operand that a region needs, as ranges of the operand's axes. */
export type Footprint<R = Region> = (region: R) => readonly Range[];

/** An operand with the elements of it that a region needs. */
export interface Access<R = Region, O extends Strided = Operand> {
  readonly operand: O;
  readonly footprint: Footprint<R>;
}

/** The bytes of a buffer that are bound, and the operand's offset relative to them. */
export interface Window {
  /** In bytes; aligned as bindings must be. */
  readonly start: number;
  readonly size: number;
  /** Index of element [0, …, 0] in the window, in elements; negative if it lies before the window. */
  readonly base: number;
}

export interface BindingLimits {
  /** maxStorageBufferBindingSize. */
  readonly bytes: number;
  /** minStorageBufferOffsetAlignment. */
  readonly alignment: number;
}

/** The part of its buffer that an operand needs for a region; null if it needs none. */
export function windowOf<R>(
  access: Access<R, Strided>,
  region: R,
  limits: BindingLimits,
): Window | null {
  const { operand, footprint } = access;
  let low = operand.offset;
  let high = operand.offset;
  for (const [axis, { first, end }] of footprint(region).entries()) {
    if (end <= first) return null;
    low += first * (operand.strides[axis] as number);
    high += (end - 1) * (operand.strides[axis] as number);
  }
  const start = Math.floor((low * operand.elementBytes) / limits.alignment) * limits.alignment;
  const end = Math.ceil(((high + 1) * operand.elementBytes) / 4) * 4;
  return { start, size: end - start, base: operand.offset - start / operand.elementBytes };
}

/**
 * Divides a region until every operand's window fits into a binding.
 *
 * @param grain what an axis may be divided into multiples of; an axis that is not named is not divided
 * @returns regions in order; null where a single grain of each axis is too much
 */
export function divide<R extends Ranges<R>>(
  region: R,
  accesses: readonly Access<R, Strided>[],
  limits: BindingLimits,
  grain: Partial<Readonly<Record<keyof R, number>>>,
): R[] | null {
  const sizes = (candidate: R): number[] =>
    accesses.map((access) => windowOf(access, candidate, limits)?.size ?? 0);
  const excess = (candidate: R): number => Math.max(0, ...sizes(candidate));
  const before = excess(region);
  if (before <= limits.bytes) return [region];
  let best: { halves: [R, R]; size: number } | null = null;
  for (const [axis, step] of Object.entries(grain) as [keyof R, number][]) {
    const halves = halve(region, axis, step);
    if (halves === null) continue;
    const size = Math.max(excess(halves[0]), excess(halves[1]));
    if (best === null || size < best.size) best = { halves, size };
  }
  // A halving counts even if it does not shrink the largest window: then two axes determine the
  // window's size, and either may be halved first.
  if (best === null) return null;
  const parts: R[] = [];
  for (const half of best.halves) {
    const divided = divide(half, accesses, limits, grain);
    if (divided === null) return null;
    parts.push(...divided);
  }
  return parts;
}

function halve<R extends Ranges<R>>(region: R, axis: keyof R, step: number): [R, R] | null {
  const { first, end } = region[axis];
  const steps = Math.ceil((end - first) / step);
  if (steps < 2) return null;
  const middle = first + Math.ceil(steps / 2) * step;
  return [
    { ...region, [axis]: { first, end: middle } },
    { ...region, [axis]: { first: middle, end } },
  ];
}
