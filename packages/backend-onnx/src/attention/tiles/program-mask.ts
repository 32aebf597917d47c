import type { AttentionProblem, Sequence } from "@heed/core";
import { type BoundProgram, TileProgram } from "@heed/core/program";
import type { RowSpan } from "./visits.js";

/** Rows of a panel of a {@link TileProgram}. */
const lanes = 3;

/** Keys of a tile, at most. */
const tileKeys = 128;

/** Rows of a mask, `keys` elements apart, whose first element is at `at`. */
export interface MaskRows {
  readonly data: Uint8Array;
  readonly at: number;
  readonly keys: number;
}

/** Rows of a span and keys of which a mask program is asked. */
export interface AskedTile {
  /** Number of the sequence, which programs call the batch entry. */
  readonly number: number;
  readonly span: RowSpan;
  readonly head: number;
  readonly sequence: Sequence;
  /** Rows of the span, and the row behind the last. */
  readonly from: number;
  readonly to: number;
  readonly first: number;
  /** The key behind the last. */
  readonly end: number;
}

/** The values of a mask program for the rows and keys of visits. */
export class ProgramMask {
  readonly #problem: AttentionProblem;
  readonly #program: BoundProgram<"mask">;
  #tile: TileProgram | null = null;
  #room = 0;
  #sequence = -1;
  #rows: { readonly span: RowSpan; readonly head: number } | null = null;

  constructor(problem: AttentionProblem, program: BoundProgram<"mask">) {
    this.#problem = problem;
    this.#program = program;
  }

  /** @param into elements of the span's first row and the tile's first key, and rows behind it */
  write(asked: AskedTile, into: MaskRows): void {
    const tile = this.#tileOf(asked);
    const { first, end, sequence } = asked;
    for (let key = first; key < end; key += tileKeys) {
      const count = Math.min(tileKeys, end - key);
      tile.setKeys(key, count, sequence.keyPositions);
      writePanels(tile, asked, count, { ...into, at: into.at + key - first });
    }
  }

  /** The program, which knows the rows of a span. */
  #tileOf({ number, span, head, sequence }: AskedTile): TileProgram {
    if (this.#tile === null || span.rows > this.#room) {
      this.#room = span.rows;
      const ascending = this.#problem.positions === "data" ? 0 : span.rows;
      const sizes = { keys: tileKeys, rows: span.rows, lanes, ascending } as const;
      this.#tile = new TileProgram(this.#program, sizes);
      this.#sequence = -1;
    }
    const tile = this.#tile;
    if (number !== this.#sequence) {
      tile.setBatch(number);
      this.#sequence = number;
      this.#rows = null;
    }
    if (this.#rows?.span !== span || this.#rows.head !== head) {
      const numbers = (numberOf: (r: number) => number): Int32Array =>
        Int32Array.from({ length: span.rows }, (_, r) => numberOf(r));
      tile.setRows(span.rows, {
        head: numbers(() => head),
        position: numbers((r) => sequence.queryPosition(span.row + r)),
        index: numbers((r) => span.row + r),
      });
      this.#rows = { span, head };
    }
    return tile;
  }
}

/** Writes some rows of the present tile; those that the program cannot tell apart are copied. */
function writePanels(
  tile: TileProgram,
  { from, to }: AskedTile,
  count: number,
  { data, at, keys }: MaskRows,
): void {
  const classes = tile.classes();
  const known = classes && new Int32Array(classes.count).fill(-1);
  for (let panel = from - (from % lanes); panel < to; panel += lanes) {
    let visible: Int32Array | null = null;
    for (let r = Math.max(panel, from); r < Math.min(panel + lanes, to); r++) {
      const own = at + r * keys;
      const like = classes && known ? (known[classes.of[r] as number] as number) : -1;
      if (like >= 0) {
        data.copyWithin(own, like, like + count);
        continue;
      }
      visible ??= tile.visible(panel);
      for (let j = 0, v = r - panel; j < count; j = (j + 1) | 0, v = (v + lanes) | 0) {
        data[(own + j) | 0] = visible[v] as number;
      }
      if (classes && known) known[classes.of[r] as number] = own;
    }
  }
}
