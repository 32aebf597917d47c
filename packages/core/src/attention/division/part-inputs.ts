import { isDeviceTensor, makeHostTensor } from "../../tensor/host-tensor.js";
import type { DeviceTensor, HostTensor, Tensor } from "../../tensor/tensor.js";
import { slice } from "../../tensor/views.js";
import type { BoundAttention } from "../bind.js";
import type { AttentionInputs } from "../inputs.js";
import { partPositions } from "./part-problem.js";
import type { Part, Range } from "./parts.js";

/** A part of a call, and the views that were made for it. */
export interface PartCall {
  readonly inputs: AttentionInputs;
  /** Releases views of device tensors. */
  dispose(): void;
}

/** The inputs of a part of a call: views, and copies of the small arrays. */
export function partCall(bound: BoundAttention, part: Part): PartCall {
  const { problem } = bound;
  const { batch, heads, kvHeads, rows, keys } = part;
  const { pages, ragged, sequences, positions, blockMask } = problem;
  const views: DeviceTensor[] = [];
  const view = <T extends Tensor>(t: T, ranges: readonly (Range | null)[]): T => {
    let result = t as Tensor;
    for (const [axis, range] of ranges.entries()) {
      if (range === null || (range.start === 0 && range.end === result.shape[axis])) continue;
      result = slice(result, axis, range.start, range.end) as Tensor;
      if (isDeviceTensor(result)) views.push(result);
    }
    return result as T;
  };
  const stored = <T extends Tensor>(t: T): T =>
    view(t, pages ? [null, kvHeads] : [batch, kvHeads, keys]);
  // Aligned at the right; an axis of 1 is for all.
  const broadcast = <T extends Tensor>(t: T): T => {
    const ranges = [batch, heads, rows, keys].slice(4 - t.shape.length);
    return view(
      t,
      ranges.map((range, axis) => (t.shape[axis] === 1 ? null : range)),
    );
  };
  const ofSequences = ragged ? { start: 0, end: sequences } : batch;
  const integers = (given: Int32Array): Int32Array =>
    given.slice(ofSequences.start, ofSequences.end);
  const whole = bound.inputs;
  const { mask, bias, queryOffset: _, ...others } = whole;
  const tables = partPositions(problem, part);
  const shift = rows.start - keys.start;
  const apart = keys.end - keys.start < problem.keyLength;
  const inputs = {
    ...others,
    query: view(bound.query, [batch, heads, rows]),
    key: stored(bound.key),
    value: stored(bound.value),
    ...(bound.keyScales && { keyScales: stored(bound.keyScales) }),
    ...(bound.valueScales && { valueScales: stored(bound.valueScales) }),
    ...(mask && { mask: broadcast(mask) }),
    ...(bias && { bias: broadcast(bias) }),
    ...(others.pageTable &&
      pages && {
        pageTable: view(others.pageTable, [
          ofSequences,
          { start: keys.start / pages.size, end: keys.end / pages.size },
        ]),
      }),
    ...(problem.kvLengths && {
      kvLengths: integers(bound.kvLengths).map((length) =>
        ragged ? length : Math.min(Math.max(length - keys.start, 0), keys.end - keys.start),
      ),
    }),
    ...(others.queryPositions && {
      queryPositions: positionRows(others.queryPositions, batch, rows),
    }),
    ...(others.keyPositions && {
      keyPositions: positionRows(others.keyPositions, ofSequences, keys),
    }),
    ...(tables.queries && { queryPositions: queryTable(bound, part) }),
    ...(tables.keys && { keyPositions: count(keys) }),
    ...(!tables.data &&
      positions !== "none" && {
        queryOffset:
          positions === "fixed"
            ? (bound.offsets[0] ?? 0) + shift
            : positions === "bottom-right" &&
                !apart &&
                rows.end - rows.start === problem.queryLength
              ? ("bottom-right" as const)
              : integers(bound.offsets).map((offset) => offset + shift),
      }),
    ...(bound.alibiSlopes && { alibiSlopes: bound.alibiSlopes.slice(heads.start, heads.end) }),
    ...(bound.sinks && { sinks: bound.sinks.slice(heads.start, heads.end) }),
    ...(bound.blockMask &&
      blockMask && {
        blockMask: {
          queryBlock: blockMask.queryBlock,
          keyBlock: blockMask.keyBlock,
          mask: view(
            bound.blockMask.blocks.mask,
            [
              ofSequences,
              heads,
              // The blocks of a ragged batch are those of each sequence, which no part divides.
              ragged ? null : blocks(rows, blockMask.queryBlock),
              ragged ? null : blocks(keys, blockMask.keyBlock),
            ].map((range, axis) => (axis < 2 && blockMask.shape[axis] === 1 ? null : range)),
          ),
        },
      }),
  };
  const { sinks, ...withoutSinks } = inputs as AttentionInputs;
  return {
    inputs: {
      // A sink belongs into exactly one part.
      ...(keys.start === 0 ? inputs : withoutSinks),
      returns: { ...whole.returns, logSumExp: problem.returns.logSumExp || apart },
    },
    dispose: () => {
      for (const t of views) t.dispose();
    },
  };
}

/** Rows of a table of positions; a single row is for all. */
function positionRows(t: HostTensor, batch: Range, columns: Range): HostTensor {
  const rows = t.shape[0] === 1 ? t : slice(t, 0, batch.start, batch.end);
  return slice(rows, 1, columns.start, columns.end) as HostTensor;
}

/** The positions of a part's query rows, one row a batch entry. */
function queryTable({ offsets, problem }: BoundAttention, { batch, rows }: Part): HostTensor {
  const length = rows.end - rows.start;
  const entries = batch.end - batch.start;
  const data = new Int32Array(entries * length);
  for (let b = 0; b < entries; b++) {
    // With keys that have positions and queries that have none, p is i.
    const offset = problem.positions === "data" ? 0 : (offsets[batch.start + b] as number);
    for (let i = 0; i < length; i++) data[b * length + i] = offset + rows.start + i;
  }
  return int32([entries, length], data);
}

function count({ start, end }: Range): HostTensor {
  const length = end - start;
  return int32(
    [1, length],
    Int32Array.from({ length }, (_, i) => start + i),
  );
}

function int32(shape: readonly [number, number], data: Int32Array): HostTensor {
  const strides = [shape[1], 1];
  return makeHostTensor("", { dtype: "int32", shape, strides, offset: 0, data });
}

function blocks({ start, end }: Range, size: number): Range {
  return { start: start / size, end: Math.ceil(end / size) };
}
