import {
  bindHeadValues,
  broadcastTo,
  describeProblem,
  elementCount,
  fromFloat64,
  type HostTensor,
  keyHeadOf,
  rowMajorStrides,
  slice,
  toFloat64,
} from "@heed/core";
import { gather, headsOf, mapTensor, withOffsets } from "../laws/transform.js";
import type { Call } from "./mistake.js";

export const batchOf = (call: Call): number => call.query.shape[0] as number;
export const keysOf = (call: Call): number => call.key.shape[2] as number;

/** The call at other offsets, where it has any. */
export function atOffset(call: Call, change: (offset: number, b: number) => number): Call | null {
  const { queryOffset, ...rest } = withOffsets(call);
  if (typeof queryOffset !== "object") return null;
  return { ...rest, queryOffset: Int32Array.from(queryOffset, change) };
}

export function without(call: Call, name: keyof Call): Call | null {
  return call[name] === undefined ? null : { ...withOffsets(call), [name]: undefined };
}

/** Uses index 0 of a mask's or bias's axis, counted from the right, for all indices of that axis. */
export function firstOf(call: Call, name: "mask" | "bias", fromRight: number): Call | null {
  const t = call[name];
  const axis = t ? t.shape.length - fromRight : -1;
  if (t === undefined || axis < 0 || t.shape[axis] === 1) return null;
  return { ...call, [name]: broadcastTo(slice(t, axis, 0, 1), t.shape) };
}

/** Indexes the head axis of a mask or bias by the key head; `null` if it has none or heads are not grouped. */
export function ofKeyHeads(call: Call, name: "mask" | "bias"): Call | null {
  const t = call[name];
  const axis = t ? t.shape.length - 3 : -1;
  const order = keyHeadsOf(call);
  if (t === undefined || axis < 0 || t.shape[axis] === 1 || order === null) return null;
  return { ...call, [name]: gather(t, axis, order) };
}

export function valuesOfKeyHeads(call: Call, name: "sinks" | "alibiSlopes"): Call | null {
  const values = bindHeadValues(call)[name];
  const order = keyHeadsOf(call);
  if (values === null || order === null) return null;
  return { ...call, [name]: order.map((head) => values[head] as number) };
}

/** Key heads of the query heads; `null` where they are the same. */
function keyHeadsOf(call: Call): number[] | null {
  const heads = headsOf(call);
  const { queryHeads, kvHeads } = heads;
  if (kvHeads === queryHeads || kvHeads === 0) return null;
  return Array.from({ length: queryHeads }, (_, h) => keyHeadOf(heads, h));
}

/** A mask that an axis, counted from the right, shares, and that counts for index 0 of it only. */
export function onlyFirst(call: Call, fromRight: number): Call | null {
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

export function withoutInfinity(call: Call): Call | null {
  const { bias } = call;
  if (bias === undefined) return null;
  return { ...call, bias: mapTensor(bias, (x) => (x === Number.NEGATIVE_INFINITY ? 0 : x)) };
}

export function scaled(call: Call, scale: number): Call | null {
  return describeProblem(call).scale === scale ? null : { ...call, scale };
}

/** Query heads with other key heads than theirs: each gets one of its own. */
export function withKeyHeads(
  call: Call,
  keyHead: (h: number, kvHeads: number) => number,
): Call | null {
  const { queryHeads, kvHeads } = headsOf(call);
  if (kvHeads === queryHeads || kvHeads === 0) return null;
  const order = Array.from({ length: queryHeads }, (_, h) => keyHead(h, kvHeads));
  return { ...call, key: gather(call.key, 1, order), value: gather(call.value, 1, order) };
}

/** Reads an array from its start, row after row, whatever the strides say. */
export function ignoringStrides(t: HostTensor): HostTensor {
  return { ...t, offset: 0, strides: rowMajorStrides(t.shape) };
}

/** Whether the array has enough elements to be read row-major from its start in the tensor's shape. */
export function reaches(t: HostTensor): boolean {
  return t.shape.reduce((product, size) => product * size, 1) <= t.data.length;
}
