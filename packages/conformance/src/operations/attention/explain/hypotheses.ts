import {
  type AttentionInputs,
  bindHeadValues,
  bindPositions,
  broadcastTo,
  describeProblem,
  elementCount,
  fromFloat64,
  type HostTensor,
  isContiguous,
  rowMajorStrides,
  slice,
  toFloat64,
  transpose,
} from "@heed/core";
import { gather, mapTensor, onKeys, withOffsets } from "../laws/transform.js";

type Call = AttentionInputs<HostTensor>;

/** A mistake, as what it makes of a call. */
export interface Hypothesis {
  /** Completes "this is what comes out if …". */
  readonly name: string;
  /** The call that a backend with the mistake computes instead; `null` where it makes no difference. */
  readonly change: (call: Call) => Call | null;
}

const batchOf = (call: Call): number => call.query.shape[0] as number;
const keysOf = (call: Call): number => call.key.shape[2] as number;
const headsOf = (call: Call): number => call.query.shape[1] as number;

/** The call at other offsets, where it has any. */
function atOffset(call: Call, change: (offset: number, b: number) => number): Call | null {
  const { queryOffset, ...rest } = withOffsets(call);
  if (typeof queryOffset !== "object") return null;
  return { ...rest, queryOffset: Int32Array.from(queryOffset, change) };
}

function without(call: Call, name: keyof Call): Call | null {
  return call[name] === undefined ? null : { ...withOffsets(call), [name]: undefined };
}

/** Mask or bias of index 0 of an axis, counted from the right, for all. */
function firstOf(call: Call, name: "mask" | "bias", fromRight: number): Call | null {
  const t = call[name];
  const axis = t ? t.shape.length - fromRight : -1;
  if (t === undefined || axis < 0 || t.shape[axis] === 1) return null;
  return { ...call, [name]: broadcastTo(slice(t, axis, 0, 1), t.shape) };
}

/** Of each query head what its key head's number leads to, in a mask or bias that has heads. */
function ofKeyHeads(call: Call, name: "mask" | "bias"): Call | null {
  const t = call[name];
  const axis = t ? t.shape.length - 3 : -1;
  const order = keyHeadsOf(call);
  if (t === undefined || axis < 0 || t.shape[axis] === 1 || order === null) return null;
  return { ...call, [name]: gather(t, axis, order) };
}

function valuesOfKeyHeads(call: Call, name: "sinks" | "alibiSlopes"): Call | null {
  const values = bindHeadValues(call)[name];
  const order = keyHeadsOf(call);
  if (values === null || order === null) return null;
  return { ...call, [name]: order.map((head) => values[head] as number) };
}

/** Key heads of the query heads; `null` where they are the same. */
function keyHeadsOf(call: Call): number[] | null {
  const [heads, kvHeads] = [headsOf(call), call.key.shape[1] as number];
  if (kvHeads === heads || kvHeads === 0) return null;
  return Array.from({ length: heads }, (_, h) => Math.floor((h * kvHeads) / heads));
}

/** A mask that an axis, counted from the right, shares, and that counts for index 0 of it only. */
function onlyFirst(call: Call, fromRight: number): Call | null {
  const { mask, query, key } = call;
  const full = [...query.shape.slice(0, 3), keysOf(call)];
  const [own, size] = [mask?.shape.at(-fromRight), full.at(-fromRight) as number];
  if (mask === undefined || (own ?? 1) !== 1 || size < 2 || key.shape[2] === 0) return null;
  const inner = elementCount(full.slice(5 - fromRight));
  const shown = toFloat64(broadcastTo(mask, full)).map((visible, at) =>
    Math.floor(at / inner) % size === 0 ? visible : 1,
  );
  return { ...call, mask: fromFloat64(shown, full, "bool") };
}

function withoutInfinity(call: Call): Call | null {
  const { bias } = call;
  if (bias === undefined) return null;
  return { ...call, bias: mapTensor(bias, (x) => (x === Number.NEGATIVE_INFINITY ? 0 : x)) };
}

/** The call with other lengths of its keys, where it has any: whole ones, within what there is. */
export function withLengths(
  call: Call,
  change: (length: number, all: Int32Array) => number,
): Call | null {
  const { kvLengths, ...rest } = withOffsets(call);
  if (!kvLengths) return null;
  const all = Int32Array.from(kvLengths);
  const within = (length: number) => Math.max(0, Math.min(keysOf(call), length));
  return { ...rest, kvLengths: all.map((length) => within(change(length, all))) };
}

function scaled(call: Call, scale: number): Call | null {
  return describeProblem(call).scale === scale ? null : { ...call, scale };
}

/** Query heads with other key heads than theirs: each gets one of its own. */
function withKeyHeads(call: Call, keyHead: (h: number, kvHeads: number) => number): Call | null {
  const kvHeads = call.key.shape[1] as number;
  const heads = headsOf(call);
  if (kvHeads === heads || kvHeads === 0) return null;
  const order = Array.from({ length: heads }, (_, h) => keyHead(h, kvHeads));
  return { ...call, key: gather(call.key, 1, order), value: gather(call.value, 1, order) };
}

/** Reads an array from its start, row after row, whatever the strides say. */
function ignoringStrides(t: HostTensor): HostTensor {
  return { ...t, offset: 0, strides: rowMajorStrides(t.shape) };
}

/** As far as the array reaches: otherwise it cannot be what happened. */
function reaches(t: HostTensor): boolean {
  return t.shape.reduce((product, size) => product * size, 1) <= t.data.length;
}

/** What backends get wrong, over and over. */
export const hypotheses: readonly Hypothesis[] = [
  {
    name: "the last key is left out",
    change: (call) => (keysOf(call) > 0 ? onKeys(call, 0, keysOf(call) - 1) : null),
  },
  {
    name: "the first key is left out",
    change: (call) => (keysOf(call) > 1 ? onKeys(call, 1, keysOf(call)) : null),
  },
  {
    name: "query head h reads key head h mod kvHeads instead of floor(h · kvHeads / queryHeads)",
    change: (call) => withKeyHeads(call, (h, kvHeads) => h % kvHeads),
  },
  {
    name: "keys and values of batch 0 serve all batches",
    change: (call) => {
      const batch = batchOf(call);
      if (batch < 2) return null;
      const order = new Array<number>(batch).fill(0);
      return { ...call, key: gather(call.key, 0, order), value: gather(call.value, 0, order) };
    },
  },
  {
    name: "every query head reads key head 0",
    change: (call) => withKeyHeads(call, () => 0),
  },
  {
    name: "the query offset is taken for 0",
    change: (call) => atOffset(call, () => 0),
  },
  {
    name: "the offset is always that of the bottom right, keys − queries",
    change: (call) => {
      const { kvLengths } = bindPositions(describeProblem(call), call);
      const queries = call.query.shape[2] as number;
      return atOffset(call, (_, b) => (kvLengths[b] as number) - queries);
    },
  },
  {
    name: "negative query offsets count as 0",
    change: (call) => atOffset(call, (offset) => Math.max(0, offset)),
  },
  {
    name: "the query offset of batch 0 serves all batches",
    change: (call) => {
      const { queryOffset } = withOffsets(call);
      const first = typeof queryOffset === "object" ? (queryOffset[0] as number) : 0;
      return atOffset(call, () => first);
    },
  },
  {
    name: "causal hides a query's own key too: it sees j < p instead of j ≤ p",
    change: (call) => (call.causal && !call.window ? atOffset(call, (offset) => offset - 1) : null),
  },
  {
    name: "causal shows one key too many: j ≤ p + 1",
    change: (call) => (call.causal && !call.window ? atOffset(call, (offset) => offset + 1) : null),
  },
  { name: "causal is ignored", change: (call) => without(call, "causal") },
  { name: "the window is ignored", change: (call) => without(call, "window") },
  { name: "kvLengths is ignored", change: (call) => without(call, "kvLengths") },
  {
    name: "one key past kvLengths is seen",
    change: (call) => withLengths(call, (length) => length + 1),
  },
  {
    name: "the last key before kvLengths is left out",
    change: (call) => withLengths(call, (length) => length - 1),
  },
  {
    name: "the length of batch 0 serves all batches",
    change: (call) => withLengths(call, (_, all) => all[0] as number),
  },
  { name: "the mask is ignored", change: (call) => without(call, "mask") },
  {
    name: "the mask is turned around: true hides",
    change: (call) =>
      call.mask ? { ...call, mask: mapTensor(call.mask, (shown) => (shown ? 0 : 1)) } : null,
  },
  { name: "the mask of head 0 serves all heads", change: (call) => firstOf(call, "mask", 3) },
  {
    name: "query head h reads the mask of its key head's number",
    change: (call) => ofKeyHeads(call, "mask"),
  },
  {
    name: "a mask that heads share hides keys of head 0 only",
    change: (call) => onlyFirst(call, 3),
  },
  {
    name: "a mask that batches share hides keys of batch 0 only",
    change: (call) => onlyFirst(call, 4),
  },
  { name: "the mask of batch 0 serves all batches", change: (call) => firstOf(call, "mask", 4) },
  { name: "the mask of query 0 serves all queries", change: (call) => firstOf(call, "mask", 2) },
  { name: "the bias is ignored", change: (call) => without(call, "bias") },
  {
    name: "the bias is scaled",
    change: (call) => {
      const { scale } = describeProblem(call);
      return call.bias ? { ...call, bias: mapTensor(call.bias, (x) => x * scale) } : null;
    },
  },
  { name: "the bias of head 0 serves all heads", change: (call) => firstOf(call, "bias", 3) },
  { name: "the bias of batch 0 serves all batches", change: (call) => firstOf(call, "bias", 4) },
  {
    name: "query head h reads the bias of its key head's number",
    change: (call) => ofKeyHeads(call, "bias"),
  },
  { name: "the bias of query 0 serves all queries", change: (call) => firstOf(call, "bias", 2) },
  { name: "−∞ in a bias hides nothing", change: (call) => withoutInfinity(call) },
  {
    name: "a bias of the lowest number hides its key",
    change: (call) =>
      call.bias
        ? { ...call, bias: mapTensor(call.bias, (x) => (x < -1e38 ? Number.NEGATIVE_INFINITY : x)) }
        : null,
  },
  {
    name: "query head h has the ALiBi slope of its key head's number",
    change: (call) => valuesOfKeyHeads(call, "alibiSlopes"),
  },
  {
    name: "query head h has the sink of its key head's number",
    change: (call) => valuesOfKeyHeads(call, "sinks"),
  },
  { name: "ALiBi is ignored", change: (call) => without(call, "alibiSlopes") },
  { name: "sinks are ignored", change: (call) => without(call, "sinks") },
  { name: "softcap is ignored", change: (call) => without(call, "softcap") },
  {
    name: "the scale is ignored: it is always 1/√headDim",
    change: (call) => scaled(call, 1 / Math.sqrt(call.query.shape[3] as number)),
  },
  { name: "nothing is scaled", change: (call) => scaled(call, 1) },
  {
    name: "the scale is applied twice",
    change: (call) => scaled(call, describeProblem(call).scale ** 2),
  },
  ...(["query", "key", "value", "mask", "bias"] as const).map((name) => ({
    name: `strides and offset of ${name} are ignored: it is read as if it were row-major`,
    change: (call: Call): Call | null => {
      const t = call[name];
      if (t === undefined || (isContiguous(t) && t.offset === 0) || !reaches(t)) return null;
      return { ...call, [name]: ignoringStrides(t) };
    },
  })),
  {
    name: "heads and length are swapped",
    change: (call) => {
      const swapped = (t: HostTensor): HostTensor => ({
        ...transpose(t, [0, 2, 1, 3]),
        shape: t.shape,
      });
      const [, heads, length] = call.query.shape;
      return heads === length ? { ...call, query: swapped(call.query) } : null;
    },
  },
];
