import {
  type AttentionInputs,
  bindPositions,
  describeProblem,
  fromFloat64,
  type HeadValues,
  type HostTensor,
  keyHeadOf,
  slice,
  toFloat64,
} from "@heed/core";

export type Call = AttentionInputs<HostTensor>;

/** Axes of `[batch, queryHeads, queryLength, keyLength]`, counted from the right, as masks align. */
const fromRight = { batch: 4, heads: 3, queries: 2, keys: 1 } as const;
type Axis = keyof typeof fromRight;

/** Applies a change to the axes of mask and bias that are not broadcast. */
function changeMasks(
  call: Call,
  axis: Axis,
  change: (t: HostTensor, axis: number) => HostTensor,
): Pick<Call, "mask" | "bias"> {
  const size = sizeOf(call, axis);
  const changed = (t: HostTensor | undefined): HostTensor | undefined => {
    const at = t ? t.shape.length - fromRight[axis] : -1;
    if (t === undefined || at < 0) return t;
    return t.shape[at] === 1 && size !== 1 ? t : change(t, at);
  };
  return { mask: changed(call.mask), bias: changed(call.bias) };
}

function sizeOf({ query, key }: Call, axis: Axis): number {
  const of = { batch: [query, 0], heads: [query, 1], queries: [query, 2], keys: [key, 2] } as const;
  const [t, at] = of[axis];
  return t.shape[at] as number;
}

/** How many heads of queries and of keys a call has. */
export function headsOf({ query, key }: Call): { queryHeads: number; kvHeads: number } {
  return { queryHeads: query.shape[1] as number, kvHeads: key.shape[1] as number };
}

/** The same call with its offsets said in numbers, one a batch; none where no rule needs them. */
export function withOffsets(call: Call): Call {
  const problem = describeProblem(call);
  if (problem.positions === "none") return { ...call, queryOffset: undefined };
  return { ...call, queryOffset: bindPositions(problem, call).offsets };
}

function shiftOffset({ queryOffset }: Call, by: number): Call["queryOffset"] {
  if (typeof queryOffset !== "object") return queryOffset;
  return Int32Array.from(queryOffset, (offset) => offset + by);
}

/** The call on keys `from ≤ j < to`, which stay where they are on the key axis. */
export function onKeys(original: Call, from: number, to: number): Call {
  const call = withOffsets(original);
  return {
    ...call,
    key: slice(call.key, 2, from, to),
    value: slice(call.value, 2, from, to),
    ...changeMasks(call, "keys", (t, axis) =>
      t.shape[axis] === 1 && to - from !== 1 ? t : slice(t, axis, from, to),
    ),
    queryOffset: shiftOffset(call, -from),
    kvLengths:
      call.kvLengths &&
      Int32Array.from(call.kvLengths, (length) => Math.max(0, Math.min(length, to) - from)),
  };
}

/** The call of query rows `from ≤ i < to`, which stay where they are on the key axis. */
export function onQueries(original: Call, from: number, to: number): Call {
  const call = withOffsets(original);
  return {
    ...call,
    query: slice(call.query, 2, from, to),
    ...changeMasks(call, "queries", (t, axis) => slice(t, axis, from, to)),
    queryOffset: shiftOffset(call, from),
  };
}

/** The call of one batch. */
export function onBatch(original: Call, b: number): Call {
  const call = withOffsets(original);
  const one = (t: HostTensor): HostTensor => slice(t, 0, b, b + 1);
  const pick = (values: ArrayLike<number>): Int32Array => Int32Array.of(values[b] as number);
  return {
    ...call,
    query: one(call.query),
    key: one(call.key),
    value: one(call.value),
    ...changeMasks(call, "batch", (t, axis) => slice(t, axis, b, b + 1)),
    queryOffset: typeof call.queryOffset === "object" ? pick(call.queryOffset) : call.queryOffset,
    kvLengths: call.kvLengths && pick(call.kvLengths),
  };
}

/** The call of one query head. */
export function onHead(original: Call, h: number): Call {
  const call = withOffsets(original);
  const g = keyHeadOf(headsOf(call), h);
  const pick = (values: HeadValues | undefined): HeadValues | undefined =>
    values && [("data" in values ? toFloat64(values) : values)[h] as number];
  return {
    ...call,
    query: slice(call.query, 1, h, h + 1),
    key: slice(call.key, 1, g, g + 1),
    value: slice(call.value, 1, g, g + 1),
    ...changeMasks(call, "heads", (t, axis) => slice(t, axis, h, h + 1)),
    alibiSlopes: pick(call.alibiSlopes),
    sinks: pick(call.sinks),
  };
}

/** Keys, values and what masks them in another order; an index may come again. */
export function pickKeys(call: Call, order: readonly number[]): Call {
  return {
    ...call,
    key: gather(call.key, 2, order),
    value: gather(call.value, 2, order),
    ...changeMasks(call, "keys", (t, axis) => gather(t, axis, order)),
  };
}

/** Each key head once for each query head of its group. */
export function repeatHeads(call: Call): Call {
  const heads = headsOf(call);
  const order = Array.from({ length: heads.queryHeads }, (_, h) => keyHeadOf(heads, h));
  return { ...call, key: gather(call.key, 1, order), value: gather(call.value, 1, order) };
}

/** The elements at some indices of an axis, as a new row-major tensor. */
export function gather(t: HostTensor, axis: number, indices: readonly number[]): HostTensor {
  const shape = t.shape.map((size, i) => (i === axis ? indices.length : size));
  const inner = t.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const outer = t.shape.slice(0, axis).reduce((a, b) => a * b, 1);
  const size = t.shape[axis] as number;
  const from = toFloat64(t);
  const to = new Float64Array(outer * indices.length * inner);
  let at = 0;
  for (let o = 0; o < outer; o++) {
    for (const index of indices) {
      const start = (o * size + index) * inner;
      to.set(from.subarray(start, start + inner), at);
      at += inner;
    }
  }
  return fromFloat64(to, shape, t.dtype);
}

/** A tensor whose elements are changed one by one, each rounded to its dtype. */
export function mapTensor(t: HostTensor, f: (x: number) => number): HostTensor {
  return fromFloat64(toFloat64(t).map(f), t.shape, t.dtype);
}
