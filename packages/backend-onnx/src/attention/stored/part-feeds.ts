import {
  type AttentionProblem,
  type BoundAttention,
  type FloatDType,
  type HostTensor,
  isDeviceTensor,
  type KeyRange,
  slice,
  type Tensor,
  type TypedArray,
  tensor,
  transpose,
} from "@heed/core";
import { axisOrder, canonicalOrder, headsOrder, storedDims } from "../../layout/axis-order.js";
import { type FeedContext, feed, hostFeed } from "../../layout/feed.js";
import type { Scratch } from "../../layout/scratch.js";
import { runtimeTensor } from "../../runtime/native-data.js";
import type { Runtime, RuntimeTensor } from "../../runtime/runtime.js";
import type { Entry } from "../bounds.js";
import type { GraphSpec } from "../graph/spec.js";
import type { Feeds } from "../position-feeds.js";
import { gatherKeys } from "./host-keys.js";
import { partSizes } from "./page-parts.js";
import type { Part } from "./schedule.js";

/** Keys and values that the host has put together for a run. */
export interface GatheredKeys {
  /** `[entries, kvHeads, keys, headDim]`. */
  readonly key: HostTensor;
  readonly value: HostTensor;
  /** To be given back after the run. */
  readonly arrays: readonly TypedArray[];
}

/** Puts the keys and values of a part together in host memory. */
export function gatheredKeys(
  { group }: Part,
  bound: BoundAttention,
  dtype: FloatDType,
  scratch: Scratch,
): GatheredKeys {
  const arrays: TypedArray[] = [];
  const of = (t: Tensor, scales: Tensor | null): HostTensor => {
    const [, heads, , size] = t.shape as [number, number, number, number];
    const shape = [group.entries.length, heads, group.keys, size];
    const into = scratch.take(
      dtype,
      shape.reduce((a, b) => a * b, 1),
    );
    arrays.push(into);
    gatherKeys(t as HostTensor, scales as HostTensor | null, group, into);
    return tensor(into, shape, { dtype });
  };
  const key = of(bound.key, bound.keyScales);
  return { key, value: of(bound.value, bound.valueScales), arrays };
}

/**
 * Query, keys and values of a part, with what the graph reads to choose among them.
 *
 * @param gathered null if the graph chooses keys itself
 * @param reads names of the graph's inputs
 */
export function partFeeds(
  context: FeedContext,
  part: Part,
  { dtype, order, storage }: GraphSpec,
  bound: BoundAttention,
  gathered: GatheredKeys | null,
  reads: readonly string[],
): Feeds {
  const { problem } = bound;
  const query = feed(context, "query", bound.query, dtype, bound.query.shape, order.query);
  const feeds: Feeds = { query };
  const given = gathered ?? bound;
  for (const name of ["key", "value"] as const) {
    const flat = storage?.keys === "pages" && order[name] === canonicalOrder;
    const dims = (shape: readonly number[]): readonly number[] => {
      const [outer, inner, rows, size] = shape as [number, number, number, number];
      if (flat) return [outer * inner, rows, size];
      return part.pool && part.byHead ? [1, outer, inner * rows, size] : shape;
    };
    const whole = given[name];
    // Without views, which cost a step of decoding as much as its table of pages.
    if (part.byHead && axisOrder(whole) === headsOrder) {
      const shape = storedDims(whole.shape, headsOrder);
      feeds[name] = hostFeed(context.runtime, whole as HostTensor, dims(shape));
    } else {
      const t = storedPart(part, whole);
      feeds[name] = feed(context, name, t, storage?.dtype ?? dtype, dims(t.shape), order[name]);
    }
    const givenScales = gathered ? null : bound[`${name}Scales`];
    if (!givenScales) continue;
    const scales = storedPart(part, givenScales);
    const scaleDims = dims([...scales.shape, 1]);
    feeds[`${name}Scales`] = feed(context, `${name}Scales`, scales, "float32", scaleDims);
  }
  const make = choices(context.runtime, part, problem, bound, storage?.parts ?? 1);
  for (const name of reads) {
    const chosen = make[name]?.();
    if (chosen) feeds[name] = chosen;
  }
  return feeds;
}

/** Keys, values or scales that a part reads: pages that lie side by side, or all of them; heads first where they lie so. */
function storedPart({ pool, byHead }: Part, t: Tensor): Tensor {
  if (byHead) return transpose(t, [1, 0, 2, 3].slice(0, t.shape.length));
  return pool ? slice(t as HostTensor, 0, pool.first, pool.first + pool.count) : t;
}

/** The indices by which a graph chooses: see `StorageSpec`. */
function choices(
  runtime: Runtime,
  { group, pool, byHead }: Part,
  { kvHeads, keyLength, pages, sequences }: AttentionProblem,
  { pageTable, keyStarts }: BoundAttention,
  parts: number,
): Readonly<Record<string, () => RuntimeTensor>> {
  const { entries, sights, rows, keys } = group;
  const count = entries.length;
  const int32 = (dims: readonly number[], write: (into: Int32Array) => void): RuntimeTensor => {
    const into = new Int32Array(dims.reduce((a, b) => a * b, 1));
    write(into);
    return runtimeTensor(runtime, "int32", into, dims);
  };
  const int64 = (...values: readonly number[]): RuntimeTensor =>
    runtimeTensor(runtime, "int64", BigInt64Array.from(values, BigInt) as never, [values.length]);
  const start = entries[0]?.start ?? 0;
  /** Visits the page of each run of keys of each entry; for those that it does not see, one that it does. */
  const eachPage = (heads: number, write: (at: number, page: number) => void): void => {
    const size = pages?.size ?? 1;
    const perSequence = pages?.perSequence ?? 0;
    const each = keys / size;
    for (let b = 0; b < count; b++) {
      const { sequence } = entries[b] as Entry;
      const { start } = sights[b] as KeyRange;
      const end = Math.min((sights[b] as KeyRange).end, sequence.keyLength);
      const table = (group.sequences[b] as number) * perSequence;
      const from = (entries[b]?.start as number) / size;
      const [first, last] = [Math.floor(start / size), Math.floor((end - 1) / size)];
      for (let n = 0; n < each; n++) {
        const used = Math.max(first, Math.min(last, from + n));
        const page = end > start ? (pageTable?.[table + used] as number) : 0;
        for (let h = 0; h < heads; h++) write((b * heads + h) * each + n, page);
      }
    }
  };
  return {
    entries: () => int32([count], (into) => into.set(group.sequences)),
    queryRows: () =>
      int32([count, rows], (into) => {
        for (const [b, { sequence }] of entries.entries()) {
          const { queryStart, queryLength } = sequence;
          for (let i = 0; i < rows; i++) {
            into[b * rows + i] = queryStart + Math.min(i, queryLength - 1);
          }
        }
      }),
    keyRows: () =>
      int32([count, keys], (into) => {
        for (const [b, { sequence, start }] of entries.entries()) {
          const sight = sights[b] as KeyRange;
          const begin = keyStarts?.[group.sequences[b] as number] ?? 0;
          for (let j = 0; j < keys; j++) {
            const seen = Math.max(sight.start, Math.min(sight.end - 1, start + j));
            const row = sight.end > sight.start ? sequence.keyStart + seen : begin;
            into[b * keys + j] = Math.min(row, keyLength - 1);
          }
        }
      }),
    pageOfRow: () =>
      int32([count, keys / (pages?.size ?? 1)], (into) => {
        eachPage(1, (at, page) => {
          into[at] = page;
        });
      }),
    pageOfHead: () =>
      int32([count, kvHeads, keys / (pages?.size ?? 1)], (into) => {
        const each = keys / (pages?.size ?? 1);
        eachPage(kvHeads, (at, page) => {
          const head = Math.floor(at / each) % kvHeads;
          into[at] = byHead ? head * (pages?.count ?? 0) + page : page * kvHeads + head;
        });
      }),
    partPages: () => int64(...partSizes(keys / (pages?.size ?? 1), parts)),
    partKeys: () => {
      const size = pages?.size ?? 1;
      return int64(...partSizes(keys / size, parts).map((count) => count * size));
    },
    rangeStart: () =>
      pool ? int64(0, pool.first * (pages?.size ?? 1)) : int64(group.sequences[0] ?? 0, start),
    rangeEnd: () =>
      pool
        ? int64(1, (pool.first + pool.count) * (pages?.size ?? 1))
        : int64((group.sequences.at(-1) ?? sequences - 1) + 1, start + keys),
    maskStart: () => int64(start),
    maskEnd: () => int64(start + keys),
  };
}

/** Whether keys or values are on the device. */
export function keysOnDevice({ key, value, keyScales, valueScales }: BoundAttention): boolean {
  return [key, value, keyScales, valueScales].some((t) => t !== null && isDeviceTensor(t));
}
