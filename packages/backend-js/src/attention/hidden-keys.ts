import { type Doubles, doubles, type TileProgram } from "@heed/core/program";

const unknown = -1;

/**
 * Hides from the rows of a tile the keys that a mask program hides from them. Rows that the program cannot tell apart share a
 * list of those keys, so that it runs for one of them only.
 */
export class HiddenKeys {
  readonly #mask: TileProgram;
  readonly #lanes: 1 | 3;
  /** Room for the list of a class: the keys of the largest tile. */
  readonly #room: number;
  /** Distances from a row's first score to those of its hidden keys, of each class. */
  readonly #lists: Int32Array;
  /** Lengths of the lists; −1 where the program has not run for a class. */
  readonly #counts: Int32Array;
  #keys = 0;

  /**
   * @param keys of the largest tile
   * @param rows of the largest block
   * @param lanes rows of a panel
   */
  constructor(mask: TileProgram, keys: number, rows: number, lanes: 1 | 3) {
    this.#mask = mask;
    this.#lanes = lanes;
    this.#room = keys;
    // More classes than half of the rows would save nothing: they are not looked for.
    const classes = Math.ceil(rows / 2);
    this.#lists = new Int32Array(classes * keys);
    this.#counts = new Int32Array(classes);
  }

  /** Starts a tile: the mask program's keys are set. */
  startTile(keys: number): void {
    this.#keys = keys;
    this.#counts.fill(unknown);
  }

  /**
   * −∞ for the hidden keys of a panel.
   *
   * @param r its first row
   * @param rows how many it has
   * @param at where its scores begin
   */
  hide(r: number, rows: number, scores: Doubles, at: number): void {
    const classes = this.#mask.classes();
    if (classes === null) {
      hideUnseen(scores, at, this.#mask.visible(r), this.#keys * this.#lanes);
      return;
    }
    let visible: Int32Array | null = null;
    for (let lane = 0; lane < rows; lane++) {
      const own = classes.of[r + lane] as number;
      const start = own * this.#room;
      if (this.#counts[own] === unknown) {
        visible ??= this.#mask.visible(r);
        this.#counts[own] = this.#list(visible, lane, start);
      }
      const end = start + (this.#counts[own] as number);
      hideListed(scores, at + lane, this.#lists, start, end);
    }
  }

  /** Lists the hidden keys of one row of a panel. */
  #list(visible: Int32Array, lane: number, start: number): number {
    const lists = this.#lists;
    const step = this.#lanes;
    let end = start;
    for (let j = 0, s = 0; j < this.#keys; j++, s += step) {
      // Written over by the next one unless it is hidden: without a branch, which would be guessed wrong.
      lists[end] = s;
      end += 1 - (visible[s + lane] as number);
    }
    return end - start;
  }
}

function hideListed(
  scores: Doubles,
  at: number,
  list: Int32Array,
  start: number,
  end: number,
): void {
  for (let k = start; k < end; k = (k + 1) | 0) {
    scores[(at + (list[k] as number)) | 0] = Number.NEGATIVE_INFINITY;
  }
}

/**
 * Hidden scores become −∞, by pairs to read from: a branch would be guessed wrong wherever masks follow no pattern.
 *
 * @param n is rounded up to whole threes, for which scores have room
 */
function hideUnseen(scores: Doubles, at: number, visible: Int32Array, n: number): void {
  for (let s = 0; s < n; s = (s + 3) | 0) {
    const t = (s + 1) | 0;
    const u = (s + 2) | 0;
    pairs[1] = scores[(at + s) | 0] as number;
    pairs[3] = scores[(at + t) | 0] as number;
    pairs[5] = scores[(at + u) | 0] as number;
    scores[(at + s) | 0] = pairs[(visible[s] as number) & 1] as number;
    scores[(at + t) | 0] = pairs[2 + ((visible[t] as number) & 1)] as number;
    scores[(at + u) | 0] = pairs[4 + ((visible[u] as number) & 1)] as number;
  }
}

/** Three pairs: of a hidden score, −∞, and of one that is seen. */
const pairs: Doubles = doubles(6).fill(Number.NEGATIVE_INFINITY);
