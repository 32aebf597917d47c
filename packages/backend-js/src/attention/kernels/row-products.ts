import type { Doubles } from "@heed/core/program";
import { panelColumns, panelRows } from "./tile.js";

/** Keys, or columns of values, that are multiplied with a panel of rows at once. */
const atOnce = 4;

/** Most elements of a row: arrays of their own cost more than they save where they are long and many. */
const mostElements = 512;
/** Fewest rows for which a tile is copied to arrays of their own. */
const fewestRows = 96;

/**
 * Whether the engine is SpiderMonkey, which alone has this constructor. It checks the bounds of each element that is read,
 * unless the index is a counter that goes up by one from 0: then once, before the loop.
 */
const checksEachIndex = (): boolean => "InternalError" in globalThis;

/** Whether {@link RowProducts} are faster than the products of panels, in this engine. */
export function prefersRows(rows: number, size: number, columns: number): boolean {
  return checksEachIndex() && rows >= fewestRows && Math.max(size, columns) <= mostElements;
}

/**
 * The products of the tiled kernel for SpiderMonkey: operands are first copied to arrays of their own, each row, key and
 * column, which one counter reads. A tile is copied once for all rows, and a panel of rows once for all keys.
 *
 * Sums are formed in the order of `tileScores` and `tileValues`, and have the same bits.
 */
export class RowProducts {
  readonly #query: readonly Float64Array[];
  readonly #key: readonly Float64Array[];
  readonly #weights: readonly Float64Array[];
  readonly #columns: readonly Float64Array[];

  /**
   * @param size elements of a query and of a key
   * @param keys that a tile has room for, whole panels
   * @param columns elements of a value, whole panels
   */
  constructor(size: number, keys: number, columns: number) {
    this.#query = arraysOf(panelRows, size);
    this.#key = arraysOf(keys, size);
    this.#weights = arraysOf(panelRows, keys);
    this.#columns = arraysOf(columns, keys);
  }

  /** Elements of all the arrays. */
  static elements(size: number, keys: number, columns: number): number {
    return (panelRows + keys) * size + (panelRows + columns) * keys;
  }

  /** As `tileScores`. */
  scores(
    query: Doubles,
    key: Doubles,
    scores: Doubles,
    from: number,
    to: number,
    keys: number,
    size: number,
    stride: number,
  ): void {
    for (let j = 0; j < keys; j += 3) takeApart(key, j * size, this.#key, j, size);
    const last = keys - atOnce;
    for (let r = from; r < to; r += panelRows) {
      takeApart(query, r * size, this.#query, 0, size);
      const at = r * stride;
      if (last < 0) {
        scoresOfFew(this.#query, this.#key, keys, size, scores, at);
        continue;
      }
      for (let j = 0; j < last; j += atOnce) {
        multiply(this.#query, this.#key, j, size, scores, at + j * panelRows, 1, panelRows);
      }
      // The last keys go back over some that are done, and store the same again.
      multiply(this.#query, this.#key, last, size, scores, at + last * panelRows, 1, panelRows);
    }
  }

  /** As `tileValues`. */
  values(
    weights: Doubles,
    value: Doubles,
    output: Doubles,
    from: number,
    to: number,
    keys: number,
    size: number,
    stride: number,
  ): void {
    const end = keys | 0;
    for (let c = 0; c < size; c++) {
      const column = this.#columns[c] as Float64Array;
      for (let j = 0, v = c; j < end; j++, v = (v + size) | 0) column[j] = value[v] as number;
    }
    for (let r = from; r < to; r += panelRows) {
      takeApart(weights, r * stride, this.#weights, 0, keys);
      for (let c = 0; c < size; c += panelColumns) {
        multiply(this.#weights, this.#columns, c, keys, output, r * size + c, size, 1);
      }
    }
  }
}

/** Parts of one array, so many of some length. */
function arraysOf(count: number, length: number): readonly Float64Array[] {
  const all = new Float64Array(count * length);
  return Array.from({ length: count }, (_, i) => all.subarray(i * length, (i + 1) * length));
}

/** Copies a panel of three, `[size, 3]`, to three arrays. */
function takeApart(
  panel: Doubles,
  at: number,
  arrays: readonly Float64Array[],
  first: number,
  size: number,
): void {
  const a = arrays[first] as Float64Array;
  const b = arrays[first + 1] as Float64Array;
  const c = arrays[first + 2] as Float64Array;
  const end = size | 0;
  for (let i = 0, p = at | 0; i < end; i++, p = (p + 3) | 0) {
    a[i] = panel[p] as number;
    b[i] = panel[(p + 1) | 0] as number;
    c[i] = panel[(p + 2) | 0] as number;
  }
}

/**
 * Products of three arrays, the rows, with four: `⟨rows[i], others[first + j]⟩` goes to `at + i·rowStep + j·step`. Columns,
 * whose step is 1, are added to what is there; keys are stored.
 *
 * @param size elements that are multiplied
 */
function multiply(
  rows: readonly Float64Array[],
  others: readonly Float64Array[],
  first: number,
  size: number,
  to: Doubles,
  at: number,
  rowStep: number,
  step: number,
): void {
  const a = rows[0] as Float64Array;
  const b = rows[1] as Float64Array;
  const c = rows[2] as Float64Array;
  const w = others[first] as Float64Array;
  const x = others[first + 1] as Float64Array;
  const y = others[first + 2] as Float64Array;
  const z = others[first + 3] as Float64Array;
  let aw = 0;
  let ax = 0;
  let ay = 0;
  let az = 0;
  let bw = 0;
  let bx = 0;
  let by = 0;
  let bz = 0;
  let cw = 0;
  let cx = 0;
  let cy = 0;
  let cz = 0;
  // A bound that may be a double would keep the checks in the loop.
  const end = size | 0;
  for (let i = 0; i < end; i++) {
    const p = a[i] as number;
    const q = b[i] as number;
    const r = c[i] as number;
    const s = w[i] as number;
    aw += p * s;
    bw += q * s;
    cw += r * s;
    const t = x[i] as number;
    ax += p * t;
    bx += q * t;
    cx += r * t;
    const u = y[i] as number;
    ay += p * u;
    by += q * u;
    cy += r * u;
    const v = z[i] as number;
    az += p * v;
    bz += q * v;
    cz += r * v;
  }
  const second = at + rowStep;
  const third = second + rowStep;
  if (step === 1) {
    (to[at] as number) += aw;
    (to[at + 1] as number) += ax;
    (to[at + 2] as number) += ay;
    (to[at + 3] as number) += az;
    (to[second] as number) += bw;
    (to[second + 1] as number) += bx;
    (to[second + 2] as number) += by;
    (to[second + 3] as number) += bz;
    (to[third] as number) += cw;
    (to[third + 1] as number) += cx;
    (to[third + 2] as number) += cy;
    (to[third + 3] as number) += cz;
    return;
  }
  to[at] = aw;
  to[at + step] = ax;
  to[at + 2 * step] = ay;
  to[at + 3 * step] = az;
  to[second] = bw;
  to[second + step] = bx;
  to[second + 2 * step] = by;
  to[second + 3 * step] = bz;
  to[third] = cw;
  to[third + step] = cx;
  to[third + 2 * step] = cy;
  to[third + 3 * step] = cz;
}

/** Scores of a panel of rows with fewer keys than are multiplied at once. */
function scoresOfFew(
  query: readonly Float64Array[],
  key: readonly Float64Array[],
  keys: number,
  size: number,
  scores: Doubles,
  at: number,
): void {
  for (let j = 0; j < keys; j++) {
    const k = key[j] as Float64Array;
    for (let r = 0; r < panelRows; r++) {
      const q = query[r] as Float64Array;
      let sum = 0;
      for (let i = 0; i < size; i++) sum += (q[i] as number) * (k[i] as number);
      scores[at + j * panelRows + r] = sum;
    }
  }
}
