import {
  broadcastTo,
  contiguous,
  type HostTensor,
  isContiguous,
  isDeviceTensor,
  reshape,
  type Tensor,
  type TensorLayout,
  tensor,
  transpose,
} from "@heed/core";
import type { LayoutStep, ShapeStep } from "../match/form.js";
import { BufferLayout } from "./gpu/layout.js";

/** The call does not fit what was recognised: the runtime's own nodes run it. */
export class NotThisCall extends Error {}

/** The call cannot read a tensor where it is on the GPU: it has to be read back. */
export class NotInPlace extends Error {}

/** A tensor of a call in host memory, or where it lies on the GPU. */
export type CallTensor = HostTensor | BufferLayout;

/** A tensor whose sizes differ from those that the graph has where repeated heads were left out. */
export interface Laid {
  readonly tensor: CallTensor;
  /** Sizes that the graph has. */
  readonly sizes: readonly number[];
}

/** @param numbers elements of a value of the graph */
export function layOut(
  t: CallTensor,
  steps: readonly LayoutStep[],
  numbers: (value: string) => readonly number[],
): Laid {
  let laid: Laid = { tensor: t, sizes: t.shape };
  for (const step of steps) laid = stepped(laid, step, numbers);
  return laid;
}

function stepped(
  { tensor: t, sizes }: Laid,
  step: LayoutStep,
  numbers: (value: string) => readonly number[],
): Laid {
  switch (step.kind) {
    case "transpose": {
      if (step.axes.length !== sizes.length) throw new NotThisCall("an operand has another rank");
      return {
        tensor: turned(t, step.axes),
        sizes: step.axes.map((axis) => sizes[axis] as number),
      };
    }
    case "unsqueeze":
      return {
        tensor: withAxes(t, inserted(t.shape, step.axis, 1), inserted(t.strides, step.axis, 0)),
        sizes: inserted(sizes, step.axis, 1),
      };
    case "repeat": {
      const shape = typeof step.shape === "string" ? numbers(step.shape) : step.shape;
      return { tensor: t, sizes: repeatedSizes(sizes, step.axis, shape) };
    }
  }
}

/** The sizes after heads are repeated, which must be all that changes. */
function repeatedSizes(
  sizes: readonly number[],
  axis: number,
  shape: readonly number[],
): readonly number[] {
  const told = sizes.map((size, i) => (shape[i] === 0 ? size : (shape[i] as number)));
  const heads = told[axis] as number;
  const others = told.every((size, i) => i === axis || size === -1 || size === sizes[i]);
  const open = told.filter((size) => size === -1).length;
  if (
    sizes.length !== 4 ||
    !others ||
    heads === -1 ||
    open > 1 ||
    heads % (sizes[axis] as number)
  ) {
    throw new NotThisCall("heads are repeated in another way than one after another");
  }
  return sizes.map((size, i) => (i === axis ? heads : size));
}

function inserted(list: readonly number[], at: number, value: number): number[] {
  return [...list.slice(0, at), value, ...list.slice(at)];
}

/** The same memory with other axes. */
export function withAxes<T extends CallTensor>(
  t: T,
  shape: readonly number[],
  strides: readonly number[],
): T {
  const { offset } = t;
  if (t instanceof BufferLayout) return t.view({ shape, strides, offset }) as T;
  const { data, dtype } = t as HostTensor;
  return tensor(data, shape, { dtype, strides, offset }) as HostTensor as T;
}

/** The axes in another order, as core's `transpose`. */
export function turned<T extends CallTensor>(t: T, axes: readonly number[]): T {
  return transpose(t as Tensor, axes) as T;
}

/** Axes of size 1 repeated, as by core's `broadcastTo`. */
export function spreadTo<T extends CallTensor>(t: T, shape: readonly number[]): T {
  return broadcastTo(t as Tensor, shape) as T;
}

/** Sizes of two operands side by side, by ONNX's rule. */
export function broadcastSizes(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) throw new NotThisCall("operands have sizes that do not fit");
    return x === 1 ? y : x;
  });
}

/** Sizes of scores after a change of shape, which must leave rows and columns alone. */
export function reshapedSizes(
  sizes: readonly number[],
  step: ShapeStep,
  numbers: (value: string) => readonly number[],
): number[] {
  const changed = newSizes(sizes, step, numbers);
  const [rows, columns] = sizes.slice(-2);
  const [newRows, newColumns] = changed.slice(-2);
  if (changed.length < 2 || rows !== newRows || columns !== newColumns) {
    throw new NotThisCall("rows or columns of the scores are reshaped");
  }
  return changed;
}

function newSizes(
  sizes: readonly number[],
  step: ShapeStep,
  numbers: (value: string) => readonly number[],
): number[] {
  if (step.kind === "reshape") {
    const shape = numbers(step.shape).map((size, i) =>
      size === 0 && !step.allowZero ? (sizes[i] ?? 1) : size,
    );
    const rest = shape.reduce((product, size) => (size === -1 ? product : product * size), 1);
    const all = sizes.reduce((product, size) => product * size, 1);
    return shape.map((size) => (size === -1 ? (rest === 0 ? 0 : all / rest) : size));
  }
  const rank = sizes.length + (step.kind === "unsqueeze" ? step.axes.length : 0);
  const axes = new Set(step.axes.map((axis) => (axis < 0 ? axis + rank : axis)));
  if (step.kind === "squeeze") return sizes.filter((_, axis) => !axes.has(axis));
  const left = [...sizes];
  return Array.from({ length: rank }, (_, axis) => (axes.has(axis) ? 1 : (left.shift() as number)));
}

/** Batch and heads that leading axes stand for. */
export interface Leading {
  readonly batch: number;
  readonly heads: number;
}

/**
 * A tensor with any leading axes as `[batch, heads, …, …]`; fewer heads stay fewer where the leading axes end
 * with the heads.
 *
 * @param lead all leading axes that the graph has, with their full sizes
 */
export function asHeads<T extends CallTensor>(
  t: T,
  lead: readonly number[],
  { batch, heads }: Leading,
): T {
  const last = t.shape.slice(-2);
  const padding = lead.length - (t.shape.length - 2);
  const own = [...Array<number>(padding).fill(1), ...t.shape.slice(0, -2)];
  const strides = [...Array<number>(padding).fill(0), ...t.strides];
  const padded = withAxes(t, [...own, ...last], strides);
  if (lead.length >= 2 && lead.at(-1) === heads) {
    const kept = own.at(-1) as number;
    const full = spreadTo(padded, [...lead.slice(0, -1), kept, ...last]);
    return lead.length === 2 ? full : reshaped(full, [batch, kept, ...last]);
  }
  if (lead.length === 0) return withAxes(t, [1, 1, ...last], [0, 0, ...t.strides]);
  const full = spreadTo(padded, [...lead, ...last]);
  if (lead.length > 1) return reshaped(full, [batch, heads, ...last]);
  const [step, ...others] = full.strides as [number, ...number[]];
  return withAxes(full, [batch, heads, ...last], [step * heads, step, ...others]);
}

/** Leading axes joined or divided, as a view where the strides allow it. */
function reshaped<T extends CallTensor>(t: T, shape: readonly number[]): T {
  const strides = stridesOf(t, shape);
  if (strides) return withAxes(t, shape, strides);
  if (isDeviceTensor(t)) throw new NotInPlace("leading axes are joined that lie apart");
  return reshape(isContiguous(t) ? t : contiguous(t as HostTensor), shape) as T;
}

/** Strides with which the same elements, in the same order, have another shape; null where there are none. */
function stridesOf(from: Omit<TensorLayout, "dtype">, shape: readonly number[]): number[] | null {
  const axes = from.shape
    .map((size, axis) => ({ size, stride: from.strides[axis] as number }))
    .filter(({ size }) => size !== 1);
  if (axes.some(({ size }) => size === 0)) return null;
  // Runs of axes that lie as one would.
  const runs: { size: number; stride: number }[] = [];
  for (const axis of axes) {
    const before = runs.at(-1);
    if (before && before.stride === axis.size * axis.stride) {
      runs[runs.length - 1] = { size: before.size * axis.size, stride: axis.stride };
    } else runs.push(axis);
  }
  const strides: number[] = [];
  for (const size of [...shape].reverse()) {
    const run = runs.at(-1);
    if (size === 1 || !run) {
      strides.unshift(0);
      continue;
    }
    if (run.size % size !== 0) return null;
    strides.unshift(run.stride);
    if (run.size === size) runs.pop();
    else runs[runs.length - 1] = { size: run.size / size, stride: run.stride * size };
  }
  return runs.length === 0 ? strides : null;
}
