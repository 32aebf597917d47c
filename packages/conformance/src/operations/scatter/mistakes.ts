import {
  type BoundScatter,
  type FloatDType,
  fromFloat64,
  type HostTensor,
  roundTo,
  type ScatterProblem,
  scatter,
  toFloat64,
  writeValues,
} from "@heed/core";
import { bitsOf, sameBits } from "../../calls/bits.js";
import type { ScatterCall } from "./build.js";

/** A row of the source on its way. */
interface Row {
  readonly b: number;
  readonly i: number;
  readonly h: number;
  /** Row of the whole target, entry · rows + row, or −1. */
  readonly slot: number;
  readonly problem: ScatterProblem;
}

/** Number of a row of a target `[entries, heads, rows]`. */
function placeOf(slot: number, h: number, { heads, rows }: ScatterProblem): number {
  return (Math.floor(slot / rows) * heads + h) * rows + (slot % rows);
}

/** Nearest integer, halves to the even one. */
function nearestEven(x: number): number {
  const floor = Math.floor(x);
  const up = x - floor > 0.5 || (x - floor === 0.5 && floor % 2 !== 0);
  return up ? floor + 1 : floor;
}

function largest(row: Float64Array): number {
  return row.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
}

/** Scatter in steps that a mistake can replace. As they stand they are right. */
export const scatterSteps = {
  /** Slot that a row goes to; −1 for none. */
  slot: ({ slot }: Row): number => slot,
  /** Number of the row of the target, given the slot. */
  place: (slot: number, { h, problem }: Row): number => placeOf(slot, h, problem),
  /** Number of the row of the source. */
  from: ({ b, i, h, problem: { heads, count } }: Row): number => (b * heads + h) * count + i,
  /** Number of the row whose scale is written. */
  scalePlace: (place: number, _row: Row): number => place,
  round: (x: number, dtype: FloatDType): number => roundTo(dtype, x),
  scale: (row: Float64Array): number => {
    const scale = Math.fround(largest(row) / 127);
    return Number.isFinite(scale) ? scale : Number.NaN;
  },
  integer: (x: number, scale: number): number =>
    scale > 0 ? Math.max(-127, Math.min(127, nearestEven(x / scale))) : 0,
  /** Elements of a row that are written. */
  elements: ({ headDim }: ScatterProblem): number => headDim,
  /** Elements after a row that become 0 with it. */
  spill: (_problem: ScatterProblem): number => 0,
};

export type ScatterSteps = typeof scatterSteps;

/** A mistake that an implementation can make: it explains failures, and is planted to test the suite. */
export interface ScatterMistake {
  /** Completes "a backend in which …" and "this is what comes out if …". */
  readonly name: string;
  readonly steps: Partial<ScatterSteps>;
}

/** The target and scales that a call leaves, with some steps replaced. */
export interface Scattered {
  readonly target: HostTensor;
  readonly scales?: HostTensor | undefined;
}

export function scatterWith(call: ScatterCall, replaced: Partial<ScatterSteps>): Scattered {
  const problem = scatter.describe(call);
  const bound = scatter.bind(problem, call) as BoundScatter<HostTensor>;
  const s = { ...scatterSteps, ...replaced };
  const { batch, heads, count, headDim, rows, entries, targetDType } = problem;
  const target = toFloat64(bound.target);
  const scales = bound.scales && toFloat64(bound.scales);
  const source = toFloat64(bound.source);
  const places = entries * heads * rows;
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < count; i++) {
      for (let h = 0; h < heads; h++) {
        const row: Row = { b, i, h, slot: bound.slots[b * count + i] as number, problem };
        const slot = s.slot(row);
        if (slot < 0) continue;
        const place = s.place(slot, row);
        if (place < 0 || place >= places) continue;
        const from = s.from(row) * headDim;
        const values = source.subarray(from, from + headDim);
        const scale = s.scale(values);
        if (scales) scales[s.scalePlace(place, row)] = scale;
        for (let c = 0; c < s.elements(problem); c++) {
          const x = values[c] as number;
          target[place * headDim + c] =
            targetDType === "int8" ? s.integer(x, scale) : s.round(x, targetDType);
        }
        target.fill(0, (place + 1) * headDim, (place + 1) * headDim + s.spill(problem));
      }
    }
  }
  return {
    target: fromFloat64(target, [entries, heads, rows, headDim], targetDType),
    ...(scales && { scales: fromFloat64(scales, [entries, heads, rows], "float32") }),
  };
}

/** Writes the elements of a tensor into one of any layout, where they differ. */
export function store(into: HostTensor, values: HostTensor): void {
  const [old, now] = [toFloat64(into), toFloat64(values)];
  const { shape, strides } = into;
  for (let at = 0; at < now.length; at++) {
    if (Object.is(old[at], now[at])) continue;
    let index = into.offset;
    for (let axis = shape.length - 1, rest = at; axis >= 0; axis--) {
      index += (rest % (shape[axis] as number)) * (strides[axis] as number);
      rest = Math.floor(rest / (shape[axis] as number));
    }
    writeValues([now[at] as number], into.data, index, into.dtype);
  }
}

/** Rounding towards 0. */
function truncated(x: number, dtype: FloatDType): number {
  const near = roundTo(dtype, x);
  if (!(Math.abs(near) > Math.abs(x))) return near;
  const step = dtype === "float16" ? 2 ** -12 : 2 ** -25;
  return roundTo(dtype, near * (1 - 2 * step));
}

export const scatterMistakes: readonly ScatterMistake[] = [
  {
    name: "every row goes one slot further",
    steps: { slot: ({ slot }) => (slot < 0 ? slot : slot + 1) },
  },
  {
    name: "-1 writes to the first row",
    steps: { slot: ({ slot, b, problem: p }) => (slot < 0 ? (p.paged ? 0 : b * p.rows) : slot) },
  },
  {
    name: "-1 writes to the last row",
    steps: {
      slot: ({ slot, b, problem: p }) =>
        slot < 0 ? (p.paged ? p.entries : b + 1) * p.rows - 1 : slot,
    },
  },
  {
    name: "pages lie one row too far apart",
    steps: {
      place: (slot, { h, problem: p }) =>
        p.paged ? placeOf(slot, h, p) + Math.floor(slot / p.rows) : placeOf(slot, h, p),
    },
  },
  {
    name: "heads of the target lie as if they were inside its rows",
    steps: {
      place: (slot, { h, problem: p }) =>
        (Math.floor(slot / p.rows) * p.rows + (slot % p.rows)) * p.heads + h,
    },
  },
  {
    name: "heads of the source lie as if they were inside its rows",
    steps: { from: ({ b, i, h, problem: p }) => (b * p.count + i) * p.heads + h },
  },
  {
    name: "every head gets the rows of the first",
    steps: { from: (row) => scatterSteps.from({ ...row, h: 0 }) },
  },
  {
    name: "every batch entry writes to the first one's rows",
    steps: { slot: ({ slot, problem: p }) => (slot < 0 || p.paged ? slot : slot % p.rows) },
  },
  {
    name: "numbers are cut off instead of rounded",
    steps: {
      round: truncated,
      integer: (x, scale) => (scale > 0 ? Math.trunc(Math.max(-127, Math.min(127, x / scale))) : 0),
    },
  },
  {
    name: "halves are rounded away from zero",
    steps: {
      integer: (x, scale) =>
        scale > 0 ? Math.sign(x) * Math.floor(Math.min(127, Math.abs(x) / scale) + 0.5) : 0,
    },
  },
  {
    name: "the scale goes to the row's place in the source",
    steps: {
      scalePlace: (_, { b, i, h, problem: p }) =>
        ((b % p.entries) * p.heads + h) * p.rows + (i % p.rows),
    },
  },
  {
    name: "the scale is that of 128 steps",
    steps: { scale: (row) => scatterSteps.scale(row.map((x) => (x * 127) / 128)) },
  },
  {
    name: "the scale ignores the sign",
    steps: {
      scale: (row) => Math.max(0, Math.fround(row.reduce((a, x) => Math.max(a, x), 0) / 127)),
    },
  },
  {
    name: "a NaN is left out of the scale",
    steps: {
      scale: (row) => scatterSteps.scale(row.map((x) => (Number.isFinite(x) ? x : 0))),
      integer: (x, scale) => (Number.isFinite(x) ? scatterSteps.integer(x, scale) : 0),
    },
  },
  {
    name: "the last element of an odd row is not written",
    steps: { elements: ({ headDim }) => headDim - (headDim % 2) },
  },
  {
    name: "an odd row clears the element after it",
    steps: { spill: ({ headDim }) => headDim % 2 },
  },
];

/** The mistakes that would leave what a call left, of those that make a difference. */
export function explainScatter(call: ScatterCall, got: Scattered): string[] {
  const same = (a: Scattered, b: Scattered): boolean =>
    sameBits(bitsOf(a.target), bitsOf(b.target)) &&
    (a.scales === undefined ||
      b.scales === undefined ||
      sameBits(bitsOf(a.scales), bitsOf(b.scales)));
  const right = scatterWith(call, {});
  if (got.target.shape.join() !== right.target.shape.join() || same(got, right)) return [];
  return scatterMistakes
    .filter(({ steps }) => same(got, scatterWith(call, steps)))
    .map(({ name }) => name);
}
