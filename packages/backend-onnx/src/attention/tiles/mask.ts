import type { HostTensor } from "@heed/core";
import { type Sequence, type VisibleBand, visibleBand } from "@heed/core";
import { variablesOf } from "@heed/core/program";
import type { TileCall } from "./call.js";
import type { VisitGroup } from "./groups.js";
import type { KeptMasks, KnownMasks } from "./known-masks.js";
import { type MaskRows, ProgramMask } from "./program-mask.js";
import type { VisitMask } from "./visit-mask.js";
import { hidesKeys, type KeyPart, type RowSpan, rowIndices, type Visit } from "./visits.js";

/**
 * Writes masks of the keys that visits read: what block mask, mask program, the call's mask, `causal` and a window leave of
 * them. Only parts that a rule hides in part are looked at.
 */
export class VisitMasks {
  readonly #call: TileCall;
  readonly #band: VisibleBand;
  readonly #mask: HostTensor | null;
  readonly #program: ProgramMask | null;
  /** Masks of earlier calls; null where this call's are not to be kept. */
  readonly #known: KeptMasks | null;

  /** @param known masks of earlier calls with the same blocks, lengths and positions */
  constructor(call: TileCall, known: KnownMasks) {
    const { problem, bound, asks } = call;
    this.#call = call;
    this.#band = visibleBand(problem);
    this.#mask = bound.mask as HostTensor | null;
    this.#program =
      bound.maskMod && asks !== "none" ? new ProgramMask(problem, bound.maskMod) : null;
    // Elements of the call's mask may have changed, and are as many as those of the visits' masks.
    this.#known = this.#mask === null ? known.of(asks === "none" ? null : bound.maskMod) : null;
  }

  /** The mask of a group; null if every row of it sees every key. */
  of(group: VisitGroup, take: (length: number) => Uint8Array): VisitMask | null {
    const { visits, keys } = group;
    const known = this.#known?.get(group);
    if (known) return known;
    const hides = this.#mask !== null || visits.some(({ parts }) => parts.some(hidesKeys));
    if (!hides && visits.every((visit) => visit.keys === keys)) return null;
    const rows = hides && this.#differsByRow(visits) ? group.rows : 1;
    const heads = hides && this.#differsByHead() ? group.heads.queries : 1;
    const bytes = visits.length * heads * rows * keys;
    const mayKeep = this.#known?.takes(bytes) ?? false;
    const data = (mayKeep ? new Uint8Array(bytes) : take(bytes)).fill(1);
    for (const [n, visit] of visits.entries()) {
      const own = Math.min(rows, visit.rows);
      for (let h = 0; h < heads; h++) {
        const at = (n * heads + h) * rows * keys;
        for (let r = 0; r < own; r++) data.fill(0, at + r * keys + visit.keys, at + (r + 1) * keys);
        data.fill(0, at + own * keys, at + rows * keys);
        if (hides) this.#write(visit, visit.head + h, own, { data, at, keys });
      }
    }
    const mask = { data, heads, rows };
    if (mayKeep) this.#known?.keep(group, mask);
    return mask;
  }

  #differsByRow(visits: readonly Visit[]): boolean {
    const { mask } = this.#call.problem;
    if (mask && mask.shape[2] !== 1) return true;
    return visits.some(({ parts }) => parts.some(hidesKeys));
  }

  #differsByHead(): boolean {
    const { mask, maskMod } = this.#call.problem;
    if (mask && mask.shape[1] !== 1) return true;
    return this.#program !== null && maskMod !== null && variablesOf(maskMod).has("head");
  }

  /** @param rows of the visit that are written: all, or one for all */
  #write(visit: Visit, head: number, rows: number, into: MaskRows): void {
    const sequence = this.#call.sequences[visit.sequence] as Sequence;
    let to = into.at;
    for (const part of visit.parts) {
      for (const span of visit.spans) {
        const target = { ...into, at: to + span.at * into.keys };
        if (part.hasHoles) this.#writeBlocks(visit, span, head, part, sequence, target);
        if (part.isBanded) hideOutside(this.#band, sequence, span, part, target);
      }
      if (this.#mask) {
        hideBy(this.#mask, sequence.batch, visit, head, rows, part, { ...into, at: to });
      }
      to += part.end - part.first;
    }
  }

  /** Hides the keys of empty blocks, and asks the program of those that are partial. */
  #writeBlocks(
    visit: Visit,
    span: RowSpan,
    head: number,
    part: KeyPart,
    sequence: Sequence,
    into: MaskRows,
  ): void {
    const { blocks, asks } = this.#call;
    const { queryBlock, keyBlock, rows: runs } = blocks;
    const first = blocks.row(visit.sequence, head, 0);
    for (let row = span.row; row < span.row + span.rows; ) {
      const block = Math.floor(row / queryBlock);
      const behind = Math.min(span.row + span.rows, (block + 1) * queryBlock);
      let key = part.first;
      const run = { from: row - span.row, to: behind - span.row };
      for (
        let n = runs.starts[first + block] as number;
        n < (runs.starts[first + block + 1] as number);
        n++
      ) {
        const from = Math.max(part.first, (runs.first[n] as number) * keyBlock);
        const to = Math.min(part.end, (runs.end[n] as number) * keyBlock);
        if (to <= from) continue;
        fill(into, run, key - part.first, from - part.first);
        key = to;
        if (asks === "none" || (asks === "partial" && runs.full[n] === 1)) continue;
        this.#program?.write(
          { number: visit.sequence, span, head, sequence, ...run, first: from, end: to },
          { ...into, at: into.at + from - part.first },
        );
      }
      fill(into, run, key - part.first, part.end - part.first);
      row = behind;
    }
  }
}

interface RowRange {
  readonly from: number;
  readonly to: number;
}

/** Hides the keys `first ≤ j < end` of some rows. */
function fill(
  { data, at, keys }: MaskRows,
  { from, to }: RowRange,
  first: number,
  end: number,
): void {
  if (end <= first) return;
  for (let r = from; r < to; r++) data.fill(0, at + r * keys + first, at + r * keys + end);
}

function hideOutside(
  { left, right }: VisibleBand,
  sequence: Sequence,
  span: RowSpan,
  part: KeyPart,
  into: MaskRows,
): void {
  const count = part.end - part.first;
  for (let r = 0; r < span.rows; r++) {
    const position = sequence.queryPosition(span.row + r);
    const [least, most] = [position - left, position + right];
    if (sequence.keyPositions === null) {
      const row = { from: r, to: r + 1 };
      fill(into, row, 0, Math.min(count, least - part.first));
      fill(into, row, Math.max(0, most + 1 - part.first), count);
      continue;
    }
    const to = into.at + r * into.keys;
    for (let j = 0; j < count; j++) {
      const key = sequence.keyPosition(part.first + j);
      if (key < least || key > most) into.data[to + j] = 0;
    }
  }
}

/** @param mask expanded; that of a ragged batch is the same for all rows and keys */
function hideBy(
  { data, offset, strides }: HostTensor,
  batch: number,
  visit: Visit,
  head: number,
  rows: number,
  { first, end }: KeyPart,
  into: MaskRows,
): void {
  const [ofBatch, ofHead, ofRow, ofKey] = strides as [number, number, number, number];
  const bytes = data as Uint8Array;
  for (const [r, row] of rowIndices(visit, visit.rows).subarray(0, rows).entries()) {
    let from = offset + batch * ofBatch + head * ofHead + row * ofRow + first * ofKey;
    const to = into.at + r * into.keys;
    for (let j = 0; j < end - first; j = (j + 1) | 0, from += ofKey) {
      if (bytes[from] === 0) into.data[(to + j) | 0] = 0;
    }
  }
}
