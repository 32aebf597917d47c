/**
 * Which blocks of each row of a block mask are not empty, as runs of neighbours of one kind: a row of a
 * causal mask has two runs, however long it is.
 */
export interface BlockRuns {
  /** `[rows + 1]`: row r has the runs `starts[r] ≤ n < starts[r + 1]`, in ascending order. */
  readonly starts: Int32Array;
  /** First block of each run. */
  readonly first: Int32Array;
  /** The block after the last one of each run. */
  readonly end: Int32Array;
  /** For each run, 1 if its blocks are full, 0 if they are partial. */
  readonly full: Uint8Array;
}

/** A block's kind; nothing is visible in an empty one, everything in a full one. */
export const blockKinds = { empty: 0, partial: 1, full: 2 } as const;

/** Collects runs row by row. */
export class BlockRunsBuilder {
  readonly #starts: Int32Array;
  #first = new Int32Array(64);
  #end = new Int32Array(64);
  #full = new Uint8Array(64);
  #rows = 0;
  #runs = 0;

  constructor(rows: number) {
    this.#starts = new Int32Array(rows + 1);
  }

  /** Adds a row by the kinds of its blocks, `kinds[start + n · step]`. */
  addRow(kinds: Uint8Array, start: number, blocks: number, step = 1): void {
    let kind: number = blockKinds.empty;
    for (let n = 0, at = start; n < blocks; n++, at += step) {
      const next = kinds[at] as number;
      if (next === kind) continue;
      if (kind !== blockKinds.empty) this.#end[this.#runs - 1] = n;
      if (next !== blockKinds.empty) this.#open(n, next === blockKinds.full);
      kind = next;
    }
    if (kind !== blockKinds.empty) this.#end[this.#runs - 1] = blocks;
    this.#starts[++this.#rows] = this.#runs;
  }

  #open(first: number, full: boolean): void {
    if (this.#runs === this.#first.length) this.#grow();
    this.#first[this.#runs] = first;
    this.#full[this.#runs] = full ? 1 : 0;
    this.#runs++;
  }

  #grow(): void {
    const length = 2 * this.#runs;
    const first = new Int32Array(length);
    const end = new Int32Array(length);
    const full = new Uint8Array(length);
    first.set(this.#first);
    end.set(this.#end);
    full.set(this.#full);
    this.#first = first;
    this.#end = end;
    this.#full = full;
  }

  build(): BlockRuns {
    return {
      starts: this.#starts,
      first: this.#first.slice(0, this.#runs),
      end: this.#end.slice(0, this.#runs),
      full: this.#full.slice(0, this.#runs),
    };
  }
}

/** Kind of a block of a row. */
export function kindOf(runs: BlockRuns, row: number, block: number): 0 | 1 | 2 {
  let low = runs.starts[row] as number;
  let high = runs.starts[row + 1] as number;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((runs.end[middle] as number) <= block) low = middle + 1;
    else high = middle;
  }
  if (low === runs.starts[row + 1] || (runs.first[low] as number) > block) return blockKinds.empty;
  return runs.full[low] === 1 ? blockKinds.full : blockKinds.partial;
}

/** Writes the kinds of a row's blocks to `kinds[start + block]`, where empty ones are 0 already. */
export function writeKinds(runs: BlockRuns, row: number, kinds: Uint8Array, start: number): void {
  for (let n = runs.starts[row] as number; n < (runs.starts[row + 1] as number); n++) {
    const kind = runs.full[n] === 1 ? blockKinds.full : blockKinds.partial;
    kinds.fill(kind, start + (runs.first[n] as number), start + (runs.end[n] as number));
  }
}
