import { allocate, type Sequence, statisticsDType, type TypedArray } from "@heed/core";
import type { Runtime, RuntimeDType, RuntimeTensor } from "../../runtime/runtime.js";
import { baseOf, type PositionPart, partOf } from "../alibi-positions.js";
import { chunkFeeds } from "../position-feeds.js";
import type { TileCall } from "./call.js";
import type { VisitGroup } from "./groups.js";
import { rowIndices } from "./visits.js";

/**
 * The inputs of a group's graph for positions, indices, heads and batch entries, of which each visit has its own:
 * `[visits, 1, rows, 1]` of queries, `[visits, 1, 1, keys]` of keys, `[visits, heads, 1, 1]` of heads.
 *
 * @param far whether positions of ALiBi are given in two parts
 */
export function numberFeeds(
  { Tensor }: Runtime,
  { problem, bound, sequences }: TileCall,
  { visits, heads: { queries: heads }, rows, keys }: VisitGroup,
  far: boolean,
): Readonly<Record<string, () => RuntimeTensor>> {
  const compute = statisticsDType(problem.dtype);
  const count = visits.length;
  const made = (
    dtype: RuntimeDType & ("int32" | "float32" | "float64"),
    dims: readonly number[],
    write: (into: TypedArray) => void,
  ): RuntimeTensor => {
    const into = allocate(
      dtype,
      dims.reduce((a, b) => a * b),
    ) as TypedArray;
    write(into);
    return new Tensor(dtype, into, dims);
  };
  const ofHeads = (dtype: "int32" | typeof compute, number: (head: number) => number) =>
    made(dtype, [count, heads, 1, 1], (into) => {
      for (const [n, { head }] of visits.entries()) {
        for (let h = 0; h < heads; h++) into[n * heads + h] = number(head + h);
      }
    });
  const ofRows = (dtype: "int32" | typeof compute, number: NumberOf) =>
    made(dtype, [count, 1, rows, 1], (into) => {
      for (const [n, visit] of visits.entries()) {
        const sequence = sequences[visit.sequence] as Sequence;
        for (const [r, row] of rowIndices(visit, rows).entries()) {
          into[n * rows + r] = number(sequence, row);
        }
      }
    });
  const ofKeys = (dtype: "int32" | typeof compute, number: NumberOf) =>
    made(dtype, [count, 1, 1, keys], (into) => {
      for (const [n, { sequence: s, parts }] of visits.entries()) {
        const sequence = sequences[s] as Sequence;
        let at = n * keys;
        for (const { first, end } of parts) {
          for (let j = first; j < end; j++) into[at++] = number(sequence, j);
        }
      }
    });
  const queries = (part: PositionPart) =>
    ofRows(compute, (sequence, i) =>
      partOf(sequence.queryPosition(i) - baseIn(sequence, part), part),
    );
  const keysOf = (part: PositionPart) =>
    ofKeys(compute, (sequence, j) =>
      partOf(sequence.keyPosition(j) - baseIn(sequence, part), part),
    );
  const near = far ? "low" : "near";
  return {
    alibiSlopes: () => ofHeads(compute, (head) => bound.alibiSlopes?.[head] as number),
    sinks: () => ofHeads(compute, (head) => bound.sinks?.[head] as number),
    programHead: () => ofHeads("int32", (head) => head),
    programBatch: () =>
      new Tensor(
        "int32",
        Int32Array.from(visits, ({ sequence }) => sequence),
        [count, 1, 1, 1],
      ),
    programQuery: () => ofRows("int32", (sequence, i) => sequence.queryPosition(i)),
    programQueryIndex: () => ofRows("int32", (_, i) => i),
    programKey: () => ofKeys("int32", (sequence, j) => sequence.keyPosition(j)),
    programKeyIndex: () => ofKeys("int32", (_, j) => j),
    queryPositions: () => queries(near),
    queryPositionsHigh: () => queries("high"),
    keyPositions: () => keysOf(near),
    keyPositionsHigh: () => keysOf("high"),
    ...chunkFeeds(Tensor, keys, problem.valueDim),
  };
}

/** The number of a query or a key. */
type NumberOf = (sequence: Sequence, index: number) => number;

function baseIn(sequence: Sequence, part: PositionPart): number {
  return part === "near" ? baseOf({ sequence, start: 0 }) : 0;
}
