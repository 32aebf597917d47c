import { type AttentionProblem, type BoundAttention, Sequence } from "@heed/core";
import {
  type BlockMask,
  type BlockRuns,
  BlockRunsBuilder,
  blockKinds,
  classifyBlocks,
  ProgramBoxes,
  ProgramIntervals,
} from "@heed/core/program";
import type { MapLayout } from "./layout.js";

/** Looks at boxes of a map, for each of its rows and beside: the map of a causal mask needs some twenty a row. */
const looksOfRow = 64;
const looksOfMap = 256;

/** Consecutive rows of a map with the same heads: those of a batch entry, or the items of a sequence. */
interface Strip {
  readonly sequence: Sequence;
  /** Number of the sequence, which programs call the batch entry. */
  readonly batch: number;
  readonly rows: number;
  /** Query heads and queries of some rows, counted within the sequence: from each to before the other. */
  places(row: number, end: number): Places;
}

interface Places {
  readonly fromHead: number;
  readonly toHead: number;
  readonly from: number;
  readonly to: number;
}

/** Kinds of tiles of a call's map, by its block mask and by intervals of its mask program. */
export class TileMap {
  readonly #problem: AttentionProblem;
  readonly #bound: BoundAttention;
  readonly #words: Uint32Array;
  readonly #intervals: ProgramIntervals | null;
  readonly #boxes = new ProgramBoxes();

  /** @param words of the call's buffer of programs, zeros where the map is */
  constructor(bound: BoundAttention, words: Uint32Array) {
    const { maskMod, blockMask, problem } = bound;
    this.#problem = problem;
    this.#bound = bound;
    this.#words = words;
    this.#intervals = maskMod && !blockMask?.skipsProgram ? new ProgramIntervals(maskMod) : null;
  }

  /**
   * The map of rows that are numbered, head after head of a stack.
   *
   * @param stack query heads that share a head of the grid
   */
  writeNumbered(map: MapLayout, stack: number): void {
    const { queryLength } = this.#problem;
    const all = stack * queryLength;
    let at = map.at;
    for (let b = 0; b < map.batches; b++) {
      const sequence = new Sequence(this.#problem, this.#bound, b);
      for (let h = 0; h < map.heads; h++) {
        const places = (row: number, end: number): Places => {
          const first = row * map.rows;
          const last = Math.min(end * map.rows, all) - 1;
          const head = Math.floor(first / queryLength);
          const lastHead = Math.floor(last / queryLength);
          const one = head === lastHead;
          return {
            fromHead: h * stack + head,
            toHead: h * stack + lastHead + 1,
            from: one ? first - head * queryLength : 0,
            to: one ? last - head * queryLength + 1 : queryLength,
          };
        };
        const strip: Strip = { sequence, batch: b, rows: map.count, places };
        this.#write(map, strip, at, map.words, map.batches > 1 || this.#problem.batch === 1);
        at += map.count * map.words;
      }
    }
  }

  /**
   * The map of a list's items of a sequence, whose rows are those of all heads of a group, query by query.
   *
   * @param first number of its first item
   * @param items of the sequence
   */
  writeItems(
    map: MapLayout,
    batch: number,
    sequence: Sequence,
    group: number,
    first: number,
    items: number,
  ): void {
    const end = group * sequence.queryLength;
    for (let g = 0; g < map.heads; g++) {
      const places = (row: number, stop: number): Places => ({
        fromHead: g * group,
        toHead: (g + 1) * group,
        from: Math.floor((row * map.rows) / group),
        to: Math.floor((Math.min(end, stop * map.rows) - 1) / group) + 1,
      });
      const strip: Strip = { sequence, batch, rows: items, places };
      const at = map.at + (first * map.heads + g) * map.words;
      this.#write(map, strip, at, map.heads * map.words, true);
    }
  }

  /** @param own whether the strip's rows are those of its sequence alone */
  #write(map: MapLayout, strip: Strip, at: number, stride: number, own: boolean): void {
    const keyLength = own ? strip.sequence.keyLength : this.#problem.keyLength;
    const tiles = Math.ceil(keyLength / map.keys);
    if (tiles === 0) return;
    const kinds = new Uint8Array(strip.rows * tiles);
    this.#classify(map, strip, keyLength, tiles, kinds, own);
    this.#applyBlocks(map, strip, keyLength, tiles, kinds);
    for (let row = 0; row < strip.rows; row++) {
      for (let tile = 0; tile < tiles; tile++) {
        const kind = kinds[row * tiles + tile] as number;
        const word = at + row * stride + (tile >> 4);
        this.#words[word] = (this.#words[word] as number) | (kind << (2 * (tile & 15)));
      }
    }
  }

  /** Kinds by the mask program alone: partial where intervals do not tell. */
  #classify(
    map: MapLayout,
    { sequence, batch, rows, places }: Strip,
    keyLength: number,
    tiles: number,
    kinds: Uint8Array,
    own: boolean,
  ): void {
    const intervals = this.#intervals;
    if (intervals === null) {
      kinds.fill(this.#bound.maskMod ? blockKinds.partial : blockKinds.full);
      return;
    }
    const boxes = this.#boxes;
    const { offset, queryPositions, keyPositions } = sequence;
    // If batch entries share rows, the program reads no positions that differ.
    const positions = own
      ? { queryPositions, keyPositions }
      : { queryPositions: null, keyPositions: null };
    boxes.setBatch(batch, { offset, ...positions });
    const builder = new BlockRunsBuilder(rows);
    classifyBlocks(builder, {
      rows,
      columns: tiles,
      mostLooks: looksOfRow * rows + looksOfMap,
      visibility: (q, Q, k, K) => {
        const { fromHead, toHead, from, to } = places(q, Q);
        boxes.setHeads(fromHead, toHead);
        boxes.setQueries(from, to);
        boxes.setKeys(k * map.keys, Math.min(K * map.keys, keyLength));
        return intervals.visibility(boxes.box);
      },
    });
    const runs = builder.build();
    for (let row = 0; row < rows; row++) fillRuns(runs, row, kinds, row * tiles);
  }

  /** Tiles without a block become empty; those that are not full in the block mask are full no longer. */
  #applyBlocks(
    map: MapLayout,
    { batch, rows, places }: Strip,
    keyLength: number,
    tiles: number,
    kinds: Uint8Array,
  ): void {
    const { blockMask } = this.#bound;
    if (blockMask === null) return;
    const { blocks, skipsProgram } = blockMask;
    const { queryBlock, keyBlock, shape } = blocks;
    const own = new Uint8Array(shape[3]);
    const least = new Uint8Array(tiles);
    const most = new Uint8Array(tiles);
    for (let row = 0; row < rows; row++) {
      const { fromHead, toHead, from, to } = places(row, row + 1);
      least.fill(blockKinds.full);
      most.fill(blockKinds.empty);
      const heads = shape[1] === 1 ? 1 : toHead - fromHead;
      for (let h = fromHead; h < fromHead + heads; h++) {
        for (let q = Math.floor(from / queryBlock); q * queryBlock < to; q++) {
          own.fill(blockKinds.empty);
          fillRuns(blocks.rows, blocks.row(batch, h, q), own, 0);
          for (let tile = 0; tile < tiles; tile++) {
            const end = Math.min(keyLength, (tile + 1) * map.keys);
            for (let k = Math.floor((tile * map.keys) / keyBlock); k * keyBlock < end; k++) {
              const kind = own[k] as number;
              if (kind < (least[tile] as number)) least[tile] = kind;
              if (kind > (most[tile] as number)) most[tile] = kind;
            }
          }
        }
      }
      for (let tile = 0; tile < tiles; tile++) {
        const at = row * tiles + tile;
        if (most[tile] === blockKinds.empty) kinds[at] = blockKinds.empty;
        else if (skipsProgram)
          kinds[at] = least[tile] === blockKinds.full ? blockKinds.full : blockKinds.partial;
        else if (least[tile] === blockKinds.empty && kinds[at] === blockKinds.full)
          kinds[at] = blockKinds.partial;
      }
    }
  }
}

/** Writes the kinds of a row's blocks that are not empty. */
function fillRuns(
  { starts, first, end, full }: BlockRuns,
  row: number,
  kinds: Uint8Array,
  at: number,
): void {
  for (let n = starts[row] as number; n < (starts[row + 1] as number); n++) {
    const kind = full[n] === 1 ? blockKinds.full : blockKinds.partial;
    kinds.fill(kind, at + (first[n] as number), at + (end[n] as number));
  }
}

/** Writes a bit for each block that is not empty, `words` words a row. */
export function writeBlocks(
  { rows, shape }: BlockMask,
  words: Uint32Array,
  at: number,
  stride: number,
): void {
  const [batches, heads, queries, keys] = shape;
  const kinds = new Uint8Array(keys);
  for (let row = 0; row < batches * heads * queries; row++) {
    kinds.fill(blockKinds.empty);
    fillRuns(rows, row, kinds, 0);
    for (let k = 0; k < keys; k++) {
      if (kinds[k] === blockKinds.empty) continue;
      const word = at + row * stride + (k >> 5);
      words[word] = ((words[word] as number) | (1 << (k & 31))) >>> 0;
    }
  }
}
