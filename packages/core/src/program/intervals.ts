import { convert, floorDivideInt32 } from "./arithmetic.js";
import type { BoundProgram } from "./bound.js";
import type { ProgramNode } from "./form.js";
import type { Range } from "./line-ranges.js";
import { TableRanges } from "./table-ranges.js";
import type { OperationName, ProgramType, VariableName } from "./types.js";

const least = -(2 ** 31);
const greatest = 2 ** 31 - 1;
const infinity = Number.POSITIVE_INFINITY;

/** Inclusive ranges of a program's variables. */
export type ProgramBox = Record<Exclude<VariableName, "score">, Range>;

/** Value of a mask program in a box: false everywhere, true everywhere, or not known. */
export type BoxVisibility = "empty" | "full" | "unknown";

/**
 * Interval arithmetic: bounds of a program's value over boxes of its variables. The bounds hold for what
 * `programEvaluator` gives at every point of the box, and may be wide.
 */
export class ProgramIntervals {
  readonly #bound: BoundProgram;
  readonly #lo: Float64Array;
  readonly #hi: Float64Array;
  /** Whether a float may be NaN; its bounds hold for all other values. */
  readonly #nan: Uint8Array;
  readonly #tables: readonly TableRanges[];
  readonly #from = [0, 0, 0, 0];
  readonly #to = [0, 0, 0, 0];
  readonly #range: Range = { lo: 0, hi: 0 };

  constructor(bound: BoundProgram) {
    this.#bound = bound;
    const count = bound.form.nodes.length;
    this.#lo = new Float64Array(count);
    this.#hi = new Float64Array(count);
    this.#nan = new Uint8Array(count);
    this.#tables = bound.tables.map((table) => new TableRanges(table));
  }

  /** Bounds of the program's value over a box. */
  bounds(box: ProgramBox): { readonly lo: number; readonly hi: number; readonly nan: boolean } {
    const { nodes } = this.#bound.form;
    for (let n = 0; n < nodes.length; n++) this.#evaluate(n, nodes[n] as ProgramNode, box);
    const last = nodes.length - 1;
    return {
      lo: this.#lo[last] as number,
      hi: this.#hi[last] as number,
      nan: this.#nan[last] !== 0,
    };
  }

  /** Value of a mask program in a box. */
  visibility(box: ProgramBox): BoxVisibility {
    const { nodes } = this.#bound.form;
    for (let n = 0; n < nodes.length; n++) this.#evaluate(n, nodes[n] as ProgramNode, box);
    const last = nodes.length - 1;
    return this.#hi[last] === 0 ? "empty" : this.#lo[last] === 1 ? "full" : "unknown";
  }

  #set(n: number, lo: number, hi: number, nan: boolean): void {
    this.#lo[n] = lo;
    this.#hi[n] = hi;
    this.#nan[n] = nan ? 1 : 0;
  }

  /** Bounds of an int32, which is any if it may have wrapped. */
  #setInt(n: number, lo: number, hi: number): void {
    const wraps = lo < least || hi > greatest;
    this.#set(n, wraps ? least : lo, wraps ? greatest : hi, false);
  }

  /** Bounds of a float: any if they are no numbers, since then NaN is possible. */
  #setFloat(n: number, lo: number, hi: number, nan: boolean): void {
    if (Number.isNaN(lo) || Number.isNaN(hi)) this.#set(n, -infinity, infinity, true);
    else this.#set(n, lo, hi, nan);
  }

  #evaluate(n: number, node: ProgramNode, box: ProgramBox): void {
    switch (node.op) {
      case "constant":
        this.#setValue(n, node.value);
        return;
      case "scalar":
        this.#setValue(n, this.#bound.scalars[node.slot] as number);
        return;
      case "variable":
        if (node.name === "score") this.#set(n, -infinity, infinity, true);
        else this.#setInt(n, box[node.name].lo, box[node.name].hi);
        return;
      case "table":
        this.#lookUp(n, node.slot, node.args);
        return;
      default:
        this.#apply(n, node.op, node.type, node.args);
    }
  }

  #setValue(n: number, value: number): void {
    this.#setFloat(n, value, value, false);
  }

  #lookUp(n: number, slot: number, args: readonly number[]): void {
    const { shape } = this.#bound.tables[slot] as { readonly shape: readonly number[] };
    for (let axis = 0; axis < args.length; axis++) {
      const arg = args[axis] as number;
      const last = (shape[axis] as number) - 1;
      this.#from[axis] = Math.max(0, Math.min(last, this.#lo[arg] as number));
      this.#to[axis] = Math.max(0, Math.min(last, this.#hi[arg] as number));
    }
    const range = this.#range;
    range.lo = infinity;
    range.hi = -infinity;
    const table = this.#tables[slot] as TableRanges;
    table.include(range, this.#from, this.#to);
    const nan = table.hasNaN;
    // Nothing but NaN in the box leaves the range empty.
    if (range.lo > range.hi) this.#set(n, -infinity, infinity, nan);
    else this.#set(n, range.lo, range.hi, nan);
  }

  #apply(n: number, op: OperationName, type: ProgramType, args: readonly number[]): void {
    const ia = args[0] as number;
    const ib = (args[1] ?? ia) as number;
    const a = this.#lo[ia] as number;
    const A = this.#hi[ia] as number;
    const b = this.#lo[ib] as number;
    const B = this.#hi[ib] as number;
    const nan = this.#nan[ia] !== 0 || this.#nan[ib] !== 0;
    const int = type === "int32";
    switch (op) {
      case "add":
        if (int) this.#setInt(n, a + b, A + B);
        else this.#addFloats(n, a, A, b, B, nan);
        return;
      case "subtract":
        if (int) this.#setInt(n, a - B, A - b);
        else this.#addFloats(n, a, A, -B, -b, nan);
        return;
      case "negative":
        if (int) this.#setInt(n, -A, -a);
        else this.#set(n, -A, -a, nan);
        return;
      case "abs": {
        const lo = a > 0 ? a : A < 0 ? -A : 0;
        const hi = Math.max(-a, A);
        if (int) this.#setInt(n, lo, hi);
        else this.#set(n, lo, hi, nan);
        return;
      }
      case "multiply":
        if (int) this.#setProducts(n, a, A, b, B);
        else if (unbounded(a, A) || unbounded(b, B)) this.#set(n, -infinity, infinity, true);
        else this.#setCorners(n, a * b, a * B, A * b, A * B, nan);
        return;
      case "divide":
        this.#divideFloats(n, a, A, b, B, nan, false);
        return;
      case "floorDivide":
        if (int) this.#divideInts(n, a, A, b, B);
        else this.#divideFloats(n, a, A, b, B, nan, true);
        return;
      case "remainder":
        if (int) this.#remainderInts(n, a, A, b, B);
        else this.#remainderFloats(n, a, A, b, B, nan);
        return;
      case "minimum":
        this.#set(n, Math.min(a, b), Math.min(A, B), nan);
        return;
      case "maximum":
        this.#set(n, Math.max(a, b), Math.max(A, B), nan);
        return;
      case "floor":
        this.#set(n, Math.floor(a), Math.floor(A), nan);
        return;
      case "sqrt":
        if (A < 0) this.#set(n, -infinity, infinity, true);
        else this.#set(n, Math.sqrt(Math.max(0, a)), Math.sqrt(A), nan || a < 0);
        return;
      case "exp":
        this.#setApproximate(n, Math.exp(a), Math.exp(A), 0, infinity, nan);
        return;
      case "log":
        if (A < 0) this.#set(n, -infinity, infinity, true);
        else {
          const lo = Math.log(Math.max(0, a));
          this.#setApproximate(n, lo, Math.log(A), -infinity, infinity, nan || a < 0);
        }
        return;
      case "tanh":
        this.#setApproximate(n, Math.tanh(a), Math.tanh(A), -1, 1, nan);
        return;
      case "and":
        this.#set(n, a && b, A && B, false);
        return;
      case "or":
        this.#set(n, a || b, A || B, false);
        return;
      case "not":
        this.#set(n, 1 - A, 1 - a, false);
        return;
      case "where": {
        const ic = args[2] as number;
        const c = this.#lo[ic] as number;
        const C = this.#hi[ic] as number;
        const chosenNaN = this.#nan[ib] !== 0;
        const otherNaN = this.#nan[ic] !== 0;
        if (a === 1) this.#set(n, b, B, chosenNaN);
        else if (A === 0) this.#set(n, c, C, otherNaN);
        else this.#set(n, Math.min(b, c), Math.max(B, C), chosenNaN || otherNaN);
        return;
      }
      case "astype":
        this.#convert(n, type, a, A, nan);
        return;
      default:
        this.#compare(n, op, a, A, b, B, nan);
    }
  }

  /** A comparison with NaN is false, but for `notEqual`. */
  #compare(
    n: number,
    op: OperationName,
    a: number,
    A: number,
    b: number,
    B: number,
    nan: boolean,
  ): void {
    let always = false;
    let never = false;
    switch (op) {
      case "less":
        always = A < b;
        never = a >= B;
        break;
      case "lessEqual":
        always = A <= b;
        never = a > B;
        break;
      case "greater":
        always = a > B;
        never = A <= b;
        break;
      case "greaterEqual":
        always = a >= B;
        never = A < b;
        break;
      case "equal":
        always = a === A && b === B && a === b;
        never = A < b || B < a;
        break;
      case "notEqual":
        never = a === A && b === B && a === b && !nan;
        always = A < b || B < a;
        break;
    }
    const lo = always && (!nan || op === "notEqual") ? 1 : 0;
    this.#set(n, lo, never ? 0 : 1, false);
  }

  #addFloats(n: number, a: number, A: number, b: number, B: number, nan: boolean): void {
    const opposite = (A === infinity && b === -infinity) || (a === -infinity && B === infinity);
    this.#setFloat(n, a + b, A + B, nan || opposite);
  }

  #setProducts(n: number, a: number, A: number, b: number, B: number): void {
    const [p, q, r, s] = [a * b, a * B, A * b, A * B] as const;
    this.#setInt(n, Math.min(p, q, r, s), Math.max(p, q, r, s));
  }

  #setCorners(n: number, p: number, q: number, r: number, s: number, nan: boolean): void {
    this.#setFloat(n, Math.min(p, q, r, s), Math.max(p, q, r, s), nan);
  }

  #divideInts(n: number, a: number, A: number, b: number, B: number): void {
    if (b <= 0 && B >= 0) {
      const most = Math.max(Math.abs(a), Math.abs(A));
      this.#set(n, Math.max(least, -most), Math.min(greatest, most), false);
      return;
    }
    if (a === least && b <= -1 && B >= -1) {
      this.#set(n, least, greatest, false);
      return;
    }
    const p = floorDivideInt32(a, b);
    const q = floorDivideInt32(a, B);
    const r = floorDivideInt32(A, b);
    const s = floorDivideInt32(A, B);
    this.#set(n, Math.min(p, q, r, s), Math.max(p, q, r, s), false);
  }

  #remainderInts(n: number, a: number, A: number, b: number, B: number): void {
    if (b === B && b !== 0 && Math.floor(a / b) === Math.floor(A / b)) {
      const shift = Math.floor(a / b) * b;
      this.#set(n, a - shift, A - shift, false);
      return;
    }
    this.#set(n, Math.min(0, b + 1), Math.max(0, B - 1), false);
  }

  #divideFloats(
    n: number,
    a: number,
    A: number,
    b: number,
    B: number,
    nan: boolean,
    floor: boolean,
  ): void {
    const infinite = (a === -infinity || A === infinity) && (b === -infinity || B === infinity);
    if (infinite || (b <= 0 && B >= 0)) {
      this.#set(n, -infinity, infinity, nan || infinite);
      return;
    }
    const round = floor ? Math.floor : (x: number) => x;
    this.#setCorners(n, round(a / b), round(a / B), round(A / b), round(A / B), nan);
  }

  /** a − ⌊a / b⌋ · b, step by step as it is computed, so that each step's rounding is within. */
  #remainderFloats(n: number, a: number, A: number, b: number, B: number, nan: boolean): void {
    this.#divideFloats(n, a, A, b, B, nan, true);
    const q = this.#lo[n] as number;
    const Q = this.#hi[n] as number;
    if (unbounded(q, Q) || unbounded(b, B)) {
      this.#set(n, -infinity, infinity, true);
      return;
    }
    this.#setCorners(n, q * b, q * B, Q * b, Q * B, nan);
    const p = this.#lo[n] as number;
    const P = this.#hi[n] as number;
    this.#addFloats(n, a, A, -P, -p, nan);
  }

  /** Bounds of a function that engines round differently, widened by more than they differ. */
  #setApproximate(
    n: number,
    lo: number,
    hi: number,
    leastValue: number,
    greatestValue: number,
    nan: boolean,
  ): void {
    const low = Math.max(leastValue, lo - marginOf(lo));
    const high = Math.min(greatestValue, hi + marginOf(hi));
    this.#setFloat(n, low, high, nan);
  }

  #convert(n: number, to: ProgramType, a: number, A: number, nan: boolean): void {
    if (to === "float32") {
      this.#set(n, a, A, nan);
    } else if (to === "bool") {
      const all = a > 0 || A < 0;
      const none = a === 0 && A === 0 && !nan;
      this.#set(n, all ? 1 : 0, none ? 0 : 1, false);
    } else {
      const lo = convert(a, "int32");
      const hi = convert(A, "int32");
      this.#set(n, nan ? Math.min(0, lo) : lo, nan ? Math.max(0, hi) : hi, false);
    }
  }
}

/** More than engines differ at a number; infinite ones are the same everywhere. */
function marginOf(x: number): number {
  return Number.isFinite(x) ? Math.abs(x) * 2 ** -40 : 0;
}

function unbounded(lo: number, hi: number): boolean {
  return lo === -infinity || hi === infinity;
}
