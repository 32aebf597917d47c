import {
  type AttentionProblem,
  type BoundAttention,
  type KeyRange,
  Sequence,
  type WorkGrid,
} from "@heed/core";
import {
  type BlockRuns,
  BlockRunsBuilder,
  type BoundProgram,
  classifyBlocks,
  dependence,
  dependencesOf,
  ProgramBoxes,
  ProgramIntervals,
} from "@heed/core/program";
import { type ReadKeys, unionOf } from "../attention/read-keys.js";
import { panelRows } from "../shared/attention.js";
import * as P from "../shared/program.js";
import { blockRunsOfPanel } from "./block-runs.js";

/** One unit of work: a block of rows of a sequence and a key head. */
export interface RunUnit {
  readonly sequence: number;
  readonly keyHead: number;
  /** First of its rows among those of the sequence and key head. */
  readonly start: number;
}

/** Which keys the panels of a call's units look at. */
export interface CallRuns {
  /** The first of each unit's panels. */
  readonly units: Int32Array;
  /** `[panels + 1]`: the first run of each panel. */
  readonly starts: Int32Array;
  /** `[runs, 3]`: see src/shared/program.ts. */
  readonly runs: Int32Array;
  /** The keys of each sequence that any of its panels looks at. */
  readonly seen: ReadKeys;
}

/** The panels of a sequence and a key head. */
interface Panels {
  readonly first: number;
  /** Keys that any of them looks at. */
  readonly seen: KeyRange;
}

/**
 * Scores for each rectangle that intervals may look at: a look takes at most a quarter of the time that so many scores
 * take, so that programs of which intervals know nothing cost little.
 */
const scoresOfLook = 2048;
const fewestLooks = 64;

/**
 * Finds which keys each panel of rows may see, by intervals of the mask program and by the block mask.
 *
 * @param tile keys of a tile: what intervals cannot tell is asked of whole tiles
 */
export function runsOf(
  problem: AttentionProblem,
  bound: BoundAttention,
  grid: WorkGrid,
  tile: number,
  units: readonly RunUnit[],
): CallRuns {
  const finder = new RunFinder(problem, bound, grid, tile);
  const seen = new Array<KeyRange>(problem.sequences).fill({ start: 0, end: 0 });
  const bases = Int32Array.from(units, ({ sequence, keyHead, start }) => {
    const panels = finder.panelsOf(sequence, keyHead);
    seen[sequence] = unionOf([seen[sequence] as KeyRange, panels.seen]);
    return panels.first + start / panelRows;
  });
  return { units: bases, ...finder.build(), seen };
}

class RunFinder {
  readonly #problem: AttentionProblem;
  readonly #bound: BoundAttention;
  readonly #group: number;
  readonly #tile: number;
  readonly #intervals: ProgramIntervals | null;
  readonly #boxes = new ProgramBoxes();
  /** Whether panels differ by batch entry, and by head. */
  readonly #byBatch: boolean;
  readonly #byHead: boolean;
  /** Whether each sequence has keys of its own: no more of them have positions as data than exist. */
  readonly #ownKeys: boolean;
  /** Panels of the sequences and heads that are done. */
  readonly #panels = new Map<string, Panels>();
  readonly #starts: number[] = [];
  readonly #runs: number[] = [];
  readonly #sequences: Sequence[] = [];
  readonly #longest: number;

  constructor(problem: AttentionProblem, bound: BoundAttention, grid: WorkGrid, tile: number) {
    this.#problem = problem;
    this.#bound = bound;
    this.#group = grid.group;
    this.#tile = tile;
    const { maskMod, blockMask } = bound;
    const [batches, heads] = problem.blockMask?.shape ?? [1, 1];
    const changes = maskMod ? resultDependence(maskMod) : 0;
    this.#byBatch = batches > 1 || (changes & dependence.batch) !== 0;
    this.#ownKeys = problem.ragged !== null || problem.keyPositions !== null;
    this.#byHead = heads > 1 || (changes & dependence.head) !== 0;
    this.#intervals = maskMod && !blockMask?.skipsProgram ? new ProgramIntervals(maskMod) : null;
    this.#longest = bound.kvLengths.reduce((most, length) => Math.max(most, length), 0);
  }

  build(): Pick<CallRuns, "starts" | "runs"> {
    const starts = Int32Array.from([...this.#starts, this.#runs.length / 3]);
    return { starts, runs: Int32Array.from(this.#runs) };
  }

  panelsOf(s: number, keyHead: number): Panels {
    const sequence = this.#sequence(s);
    const differ = this.#ownKeys || (this.#problem.queryPositions ?? 0) > 1;
    const where = this.#byBatch || differ ? `sequence ${s}` : `offset ${sequence.offset}`;
    const key = `${this.#byHead ? keyHead : 0} ${where}`;
    const known = this.#panels.get(key);
    if (known !== undefined) return known;
    const first = this.#starts.length;
    const firstRun = this.#runs.length;
    this.#addPanels(sequence, s, keyHead);
    const panels = { first, seen: this.#seenSince(firstRun) };
    this.#panels.set(key, panels);
    return panels;
  }

  /** Keys of the runs from an element of {@link #runs} on. */
  #seenSince(at: number): KeyRange {
    const ranges: KeyRange[] = [];
    for (let n = at; n < this.#runs.length; n += 3) {
      ranges.push({ start: this.#runs[n] as number, end: this.#runs[n + 1] as number });
    }
    return unionOf(ranges);
  }

  #sequence(s: number): Sequence {
    this.#sequences[s] ??= new Sequence(this.#problem, this.#bound, s);
    return this.#sequences[s];
  }

  #addPanels(sequence: Sequence, s: number, keyHead: number): void {
    const group = this.#group;
    const rows = group * sequence.queryLength;
    const panels = Math.ceil(rows / panelRows);
    // Lengths are looked at by the kernels. Those of batch entries differ, which share their panels.
    const keys = this.#ownKeys ? sequence.keyLength : this.#longest;
    const known = this.#intervals && this.#classify(sequence, s, keyHead, rows, keys);
    for (let panel = 0; panel < panels; panel++) {
      this.#starts.push(this.#runs.length / 3);
      const firstRow = panel * panelRows;
      const lastRow = Math.min(rows, firstRow + panelRows) - 1;
      const { blockMask } = this.#bound;
      const blocks =
        blockMask &&
        blockRunsOfPanel(blockMask, {
          batch: s,
          firstHead: keyHead * group,
          lastHead: (keyHead + 1) * group - 1,
          firstQuery: Math.floor(firstRow / group),
          lastQuery: Math.floor(lastRow / group),
          asksMask: this.#bound.maskMod !== null,
        });
      this.#addRuns(known, panel, keys, blocks ?? [{ from: 0, to: keys, asks: P.asksMask }]);
    }
  }

  /** Kinds of tiles of each panel by intervals. */
  #classify(sequence: Sequence, s: number, keyHead: number, rows: number, keys: number): BlockRuns {
    const group = this.#group;
    const boxes = this.#boxes;
    const tile = this.#tile;
    boxes.setBatch(s, sequence);
    boxes.setHeads(keyHead * group, (keyHead + 1) * group);
    const panels = Math.ceil(rows / panelRows);
    const builder = new BlockRunsBuilder(panels);
    classifyBlocks(builder, {
      rows: panels,
      columns: Math.ceil(keys / tile),
      mostLooks: fewestLooks + (rows * keys) / scoresOfLook,
      visibility: (q, Q, k, K) => {
        const last = Math.min(rows, Q * panelRows) - 1;
        boxes.setQueries(Math.floor((q * panelRows) / group), Math.floor(last / group) + 1);
        boxes.setKeys(k * tile, Math.min(keys, K * tile));
        return (this.#intervals as ProgramIntervals).visibility(boxes.box);
      },
    });
    return builder.build();
  }

  /** Adds what the block mask and intervals leave together of a panel's keys. */
  #addRuns(
    known: BlockRuns | null,
    panel: number,
    keys: number,
    blocks: readonly { readonly from: number; readonly to: number; readonly asks: number }[],
  ): void {
    const start = this.#runs.length;
    for (const { from, to, asks } of blocks) {
      if (known === null) {
        this.#add(start, from, Math.min(keys, to), asks);
        continue;
      }
      for (let n = known.starts[panel] as number; n < (known.starts[panel + 1] as number); n++) {
        const first = Math.max(from, (known.first[n] as number) * this.#tile);
        const end = Math.min(to, keys, (known.end[n] as number) * this.#tile);
        this.#add(start, first, end, known.full[n] === 1 ? asks & ~P.asksMask : asks);
      }
    }
  }

  /** Adds a run, or lengthens the one before it, unless that is another panel's. */
  #add(start: number, from: number, to: number, asks: number): void {
    if (to <= from) return;
    const runs = this.#runs;
    const last = runs.length - 3;
    if (last >= start && runs[last + 1] === from && runs[last + 2] === asks) runs[last + 1] = to;
    else runs.push(from, to, asks);
  }
}

function resultDependence({ form }: BoundProgram): number {
  const bits = dependencesOf(form);
  return bits[bits.length - 1] as number;
}
