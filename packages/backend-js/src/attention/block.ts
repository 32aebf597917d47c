import {
  type AttentionProblem,
  type BoundInputs,
  type HostTensor,
  type KeyRange,
  Sequence,
  type WorkItem,
} from "@heed/core";
import { packRow } from "../tensor/pack.js";
import { panelRows } from "./kernels/tile.js";
import { elementOffset, type LogitsRow } from "./logits.js";
import { type JsPlan, streamRows } from "./plan.js";
import type { Workspace } from "./workspace.js";

/** A block's rows `from ≤ r < to` against some keys. */
export interface Tile extends KeyRange {
  readonly from: number;
  readonly to: number;
  /** Whether each of the rows sees each of the keys, but for mask and bias. */
  readonly full: boolean;
}

/**
 * The block of query rows at hand, and where its rows are in the workspace and in the call's tensors. The query heads of
 * a group are stacked, query by query: row = i · group + the head within the group.
 */
export class Block {
  readonly problem: AttentionProblem;
  readonly inputs: BoundInputs;
  readonly plan: JsPlan;
  readonly space: Workspace;
  rows = 0;
  /** Entry of query and output. */
  batch = 0;
  keyHead = 0;
  /** The number of its sequence, and the sequence. */
  sequenceNumber = 0;
  sequence: Sequence;
  /** Whether keys and values are streamed: read where they lie, with rows one by one. */
  streams: boolean;

  constructor(problem: AttentionProblem, inputs: BoundInputs, plan: JsPlan, space: Workspace) {
    this.problem = problem;
    this.inputs = inputs;
    this.plan = plan;
    this.space = space;
    this.streams = plan.kernel === "stream";
    this.sequence = new Sequence(problem, inputs, 0);
  }

  /** Starts a block: its rows are packed, and its statistics and output cleared. */
  start(item: WorkItem): void {
    if (item.sequence !== this.sequenceNumber) {
      this.sequenceNumber = item.sequence;
      this.sequence = new Sequence(this.problem, this.inputs, item.sequence);
    }
    this.batch = item.batch;
    this.keyHead = item.keyHead;
    this.rows = item.end - item.start;
    const { kernel, mayStream } = this.plan;
    this.streams = kernel === "stream" || (mayStream && this.rows <= streamRows);
    this.#loadRows(item.start);
    const { statistics, output } = this.space;
    statistics.max.fill(Number.NEGATIVE_INFINITY);
    statistics.sum.fill(0);
    output.fill(0);
  }

  #loadRows(start: number): void {
    const { group } = this.plan.grid;
    const { query, rows } = this.space;
    const { headDim, scale } = this.problem;
    const source = this.inputs.query;
    const { queryStart, queryPositions, offset } = this.sequence;
    for (let r = 0; r < this.rows; r++) {
      const i = Math.floor((start + r) / group);
      const h = this.keyHead * group + ((start + r) % group);
      rows.head[r] = h;
      rows.index[r] = queryStart + i;
      rows.position[r] = queryPositions ? (queryPositions[i] as number) : i + offset;
      const from = elementOffset(source, this.batch, h, queryStart + i, 0);
      const at = this.rowStart(r, headDim);
      packRow(query, at, this.step, source, from, source.strides[3] as number, headDim);
    }
    // The scale goes into the query once instead of into every score.
    for (let c = 0; c < query.length; c++) (query[c] as number) *= scale;
  }

  /** Distance from one element of a row to the next: in panels of rows (tiled), or in plain rows. */
  get step(): 1 | 3 {
    return this.streams ? 1 : panelRows;
  }

  /** Index of a row's first element among rows of `size` elements, in panels or in plain rows. */
  rowStart(r: number, size: number): number {
    if (this.streams) return r * size;
    return panelStart(r) * size + (r % panelRows);
  }

  /** A row's logits of a tile. */
  logitsRow(r: number, tile: KeyRange): LogitsRow {
    return {
      data: this.space.scores,
      at: this.rowStart(r, this.plan.keyStride),
      step: this.step,
      keys: tile.end - tile.start,
    };
  }

  /** Index of a row's first element of a tile in a mask or bias. */
  elementOf(t: HostTensor, r: number, tile: KeyRange): number {
    const { head, index } = this.space.rows;
    return elementOffset(t, this.batch, head[r] as number, index[r] as number, tile.start);
  }

  /** A row in the outputs' `[batch, queryHeads, queryLength]`. */
  outputRow(r: number): number {
    const { queryHeads, queryLength } = this.problem;
    const { head, index } = this.space.rows;
    return (this.batch * queryHeads + (head[r] as number)) * queryLength + (index[r] as number);
  }
}

/** The first row of the panel that a row is in. */
export function panelStart(r: number): number {
  return Math.floor(r / panelRows) * panelRows;
}
