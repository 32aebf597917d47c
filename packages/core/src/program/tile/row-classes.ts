import { remainderInt32 } from "../arithmetic.js";
import type { KeyRange } from "./key-sums.js";

/** Rows of a block by classes: those of one class see the same keys of the present tile. */
export interface TileClasses {
  readonly count: number;
  /** Class of each row, from 0 on. */
  readonly of: Int32Array;
}

/** A number of each row that decides which keys the row sees. */
export interface RowInput {
  readonly numbers: ArrayLike<number>;
  /** Present if only the remainder of the number's sum with a key's matters. */
  readonly sum: { readonly divisor: number; readonly keys: KeyRange } | null;
}

/** Neither a key's nor a row's number passes it where a sum is not to wrap. */
const mostOfSum = 2 ** 30;

/** The classes of a mask program's rows: rows with the same inputs, but for multiples of divisors. */
export class RowClasses {
  readonly #inputs: readonly RowInput[];
  readonly #classes: { count: number; readonly of: Int32Array };
  /** Rows whose classes are not known yet; 0 once they are. */
  #unknown = 0;

  /** @param rows of the largest block */
  constructor(inputs: readonly RowInput[], rows: number) {
    this.#inputs = inputs;
    this.#classes = { count: 0, of: new Int32Array(rows) };
  }

  /** Starts a block of rows, whose inputs are known. */
  setRows(count: number): void {
    this.#unknown = count;
  }

  /** The classes on the present tile; null if there are more than half as many as rows, which says nothing. */
  onTile(): TileClasses | null {
    if (this.#unknown > 0) this.#find(this.#unknown);
    this.#unknown = 0;
    if (this.#classes.count === 0) return null;
    for (const { sum } of this.#inputs) {
      if (sum && (sum.keys.least < -mostOfSum || sum.keys.most > mostOfSum)) return null;
    }
    return this.#classes;
  }

  #find(rows: number): void {
    const { of } = this.#classes;
    of.fill(0, 0, rows);
    let count = 1;
    for (const input of this.#inputs) {
      count = divide(of, count, input, rows);
      if (2 * count > rows) break;
    }
    this.#classes.count = 2 * count > rows ? 0 : count;
  }
}

/**
 * Divides classes by the numbers of an input.
 *
 * @returns how many there are then; or some number of more than half of the rows, as soon as there are as many
 */
function divide(of: Int32Array, count: number, { numbers, sum }: RowInput, rows: number): number {
  const known = Array.from({ length: count }, () => new Map<number, number>());
  let next = 0;
  for (let r = 0; r < rows && 2 * next <= rows; r++) {
    let number = numbers[r] as number;
    if (sum && Math.abs(number) <= mostOfSum) number = remainderInt32(number, sum.divisor);
    const classes = known[of[r] as number] as Map<number, number>;
    let own = classes.get(number);
    if (own === undefined) {
      own = next++;
      classes.set(number, own);
    }
    of[r] = own;
  }
  return next;
}
