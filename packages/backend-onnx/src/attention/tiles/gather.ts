import {
  type AttentionProblem,
  type FloatDType,
  type HostTensor,
  isContiguous,
  keyHeadOf,
  type Sequence,
  type TypedArray,
} from "@heed/core";
import { rowCopier, runCopier } from "../../layout/copy-rows.js";
import type { TileCall } from "./call.js";
import type { VisitGroup } from "./groups.js";
import { firstRowOf } from "./neighbours.js";
import { type HeadCounts, rowIndices, type Visit } from "./visits.js";

/** The rows of a group as they lie in memory; null of others, which are gathered. @param dtype in which the graph takes them */
export function queryInPlace(
  call: TileCall,
  group: VisitGroup,
  dtype: FloatDType,
): TypedArray | null {
  const { problem, bound } = call;
  const query = bound.query as HostTensor;
  if (query.dtype !== dtype || !isContiguous(query)) return null;
  const first = firstRowOf(call, group);
  if (first === null) return null;
  const start = query.offset + first * problem.headDim;
  const count = group.visits.length * group.heads.queries * group.rows * problem.headDim;
  return (query.data as Float32Array).subarray(start, start + count);
}

/** The rows of a group, converted, `[visits, heads, rows, size]`; zeros for those that a visit lacks. */
export function gatherQuery(
  { bound: { query }, sequences }: TileCall,
  { visits, heads, rows }: VisitGroup,
  into: TypedArray,
): void {
  const size = query.shape[3] as number;
  const copy = rowCopier(query as HostTensor, null, into);
  let at = 0;
  for (const { sequence, head, spans, rows: own } of visits) {
    const { batch, queryStart } = sequences[sequence] as Sequence;
    for (let h = 0; h < heads.queries; h++) {
      for (const span of spans) {
        copy(batch, head + h, queryStart + span.row, span.rows, at + span.at * size);
      }
      into.fill(0 as never, at + own * size, at + rows * size);
      at += rows * size;
    }
  }
}

/**
 * Keys or values that the visits of a group read, converted, `[visits, key heads, keys, size]`; zeros for those that a visit
 * lacks.
 *
 * @param t keys or values as they are stored, of any layout
 * @param scales of int8
 */
export function gatherVisited(
  { problem, sequences }: TileCall,
  t: HostTensor,
  scales: HostTensor | null,
  { visits, heads, keys }: VisitGroup,
  into: TypedArray,
): void {
  const size = t.shape[3] as number;
  const copy = rowCopier(t, scales, into);
  for (const [n, { sequence: s, head, parts }] of visits.entries()) {
    const sequence = sequences[s] as Sequence;
    const headSize = keys * size;
    let at = n * heads.keys * headSize;
    const firstHead = keyHeadOf(problem, head);
    for (let p = 0; p < parts.length; ) {
      const first = parts[p]?.first as number;
      let end = parts[p++]?.end as number;
      // Parts that differ in what hides their keys often lie side by side.
      while (parts[p]?.first === end) end = parts[p++]?.end as number;
      const start = at;
      sequence.forEachRun(first, end, (j, entry, row, rows) => {
        for (let h = 0; h < heads.keys; h++) {
          copy(entry, firstHead + h, row, rows, start + h * headSize + (j - first) * size);
        }
      });
      at += (end - first) * size;
    }
    for (let h = 0; h < heads.keys; h++) {
      into.fill(0 as never, at + h * headSize, (n * heads.keys + h + 1) * headSize);
    }
  }
}

/**
 * Keys or values of a group whose only visit reads them as they lie in memory; null of others, which are gathered.
 *
 * @param dtype in which the graph takes them
 */
export function visitedInPlace(
  { problem, sequences }: TileCall,
  t: HostTensor,
  { visits, heads, keys }: VisitGroup,
  dtype: FloatDType,
): TypedArray | null {
  const { keyLength } = problem;
  const [visit, ...others] = visits;
  if (visit === undefined || others.length > 0 || !mayBeInPlace(problem, visit, heads)) return null;
  const { batch, keyStart } = sequences[visit.sequence] as Sequence;
  const first = keyStart + (visit.parts[0]?.first as number);
  const [ofEntry, ofHead, ofRow, ofElement] = t.strides as [number, number, number, number];
  const size = t.shape[3] as number;
  const isPacked = ofElement === 1 && ofRow === size && ofHead === keyLength * size;
  if (t.dtype !== dtype || !isPacked) return null;
  const start = t.offset + batch * ofEntry + keyHeadOf(problem, visit.head) * ofHead + first * size;
  return (t.data as Float32Array).subarray(start, start + heads.keys * keys * size);
}

/** Whether the keys of a visit lie side by side, if those of a head do. */
export function mayBeInPlace(
  { pages, keyLength }: AttentionProblem,
  { parts, keys }: Visit,
  heads: HeadCounts,
): boolean {
  if (pages !== null) return false;
  const isRange = parts.at(-1)?.end === (parts[0]?.first as number) + keys;
  // Several heads lie side by side with all of their keys only.
  return isRange && (heads.keys === 1 || keys === keyLength);
}

/** Sizes of the bias of a group, `[visits, heads or 1, rows or 1, keys or 1]`. */
export function biasShape(
  { problem }: TileCall,
  { visits, heads, rows, keys }: VisitGroup,
): readonly [number, number, number, number] {
  const [, ofHeads, ofRows, ofKeys] = problem.bias?.shape ?? [1, 1, 1, 1];
  return [
    visits.length,
    ofHeads === 1 ? 1 : heads.queries,
    ofRows === 1 ? 1 : rows,
    ofKeys === 1 ? 1 : keys,
  ];
}

/** The call's bias of the rows and keys of a group, of the shape {@link biasShape}; zeros for what a visit lacks. */
export function gatherBias(call: TileCall, group: VisitGroup, into: TypedArray): void {
  const bias = call.bound.bias as HostTensor;
  const [, heads, rows, keys] = biasShape(call, group);
  const [ofBatch, ofHead, ofRow, ofKey] = bias.strides as [number, number, number, number];
  const copy = runCopier(bias, into);
  for (const [n, visit] of group.visits.entries()) {
    const { batch } = call.sequences[visit.sequence] as Sequence;
    // A ragged batch has a bias of one row.
    const indices = rowIndices(visit, rows);
    for (let h = 0; h < heads; h++) {
      const first = bias.offset + batch * ofBatch + (visit.head + h) * ofHead;
      for (let r = 0; r < rows; r++) {
        let at = ((n * heads + h) * rows + r) * keys;
        const behind = at + keys;
        const row = first + (indices[r] as number) * ofRow;
        if (keys === 1) {
          copy(row, 1, 1, at++);
        } else {
          for (const part of visit.parts) {
            const count = part.end - part.first;
            copy(row + part.first * ofKey, ofKey, count, at);
            at += count;
          }
        }
        into.fill(0 as never, at, behind);
      }
    }
  }
}
