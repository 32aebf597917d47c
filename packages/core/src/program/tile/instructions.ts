import { applyOperation } from "../arithmetic.js";
import type { BoundProgram } from "../bound.js";
import { lookUp } from "../evaluate.js";
import type { ProgramNode } from "../form.js";
import type { TableData } from "../sources.js";
import type { OperationName, ProgramType } from "../types.js";
import {
  addProducts,
  chooseFloats,
  fillFloats,
  floatComparisons,
  floatList,
  floatListAndNumbers,
  floatLists,
  intsToFloats,
} from "./float-loops.js";
import {
  chooseInts,
  fillInts,
  floatsToBools,
  floatsToInts,
  intList,
  intListAndNumbers,
  intLists,
} from "./int-loops.js";
import { type Floats, makeValue, type Space, type Value } from "./values.js";

/**
 * One operation on the values of a space.
 *
 * @param r first row of the panel, for scores; 0 otherwise
 * @param n number of elements, a multiple of three
 */
export type Instruction = (r: number, n: number) => void;

/** The instructions of a program, by how often they run, and the memory that they work on. */
export class Instructions {
  readonly of: Readonly<Record<Space, Instruction[]>> = {
    batch: [],
    rows: [],
    keys: [],
    scores: [],
  };
  readonly values: Value[] = [];
  readonly bound: BoundProgram;
  /** Elements of a value, by space. */
  readonly lengths: Readonly<Record<Space, number>>;
  /** Rows of a panel: 1 or 3. */
  readonly lanes: number;

  constructor(bound: BoundProgram, lengths: Readonly<Record<Space, number>>, lanes: number) {
    this.bound = bound;
    this.lengths = lengths;
    this.lanes = lanes;
  }

  /** Adds the instruction of an operation that writes to a value, and whose operands are values already. */
  compile(value: Value, node: ProgramNode): void {
    if (value.space === "batch") this.of.batch.push(this.#number(value, node));
    else this.of[value.space].push(this.#lists(value, node));
  }

  /**
   * Adds an instruction that adds a product of a list and numbers to scores.
   *
   * @returns whether the operands are these
   */
  addProduct(to: Floats, args: readonly number[]): boolean {
    const [a, b] = args.map((arg) => this.values[arg]) as [Value, Value];
    const [list, numbers] = this.isList(a, "scores") ? [a, b] : [b, a];
    if (!this.isList(list, "scores") || this.isList(numbers, "scores")) return false;
    const { step, lane } = this.stepsOf(numbers);
    const factors = numbers.floats.data;
    const from = list.floats;
    this.of.scores.push((r, n) => {
      const k = r * step;
      const [x, y, z] = [factors[k], factors[k + lane], factors[k + 2 * lane]];
      const { data, at } = from;
      addProducts(to.data, to.at, data, at, x as number, y as number, z as number, n);
    });
    return true;
  }

  /** Adds an instruction that copies floats of any space to where a list of scores begins when it runs. */
  copyScores(to: Floats, n: number): void {
    const value = this.values[n] as Value;
    const a = this.listOfFloats(value, "scores");
    const copy = floatList.copy as (typeof floatList)[string];
    this.of.scores.push((_, count) => copy(to.data, to.at, a.data, a.at, count));
  }

  /** The steps from a number to that of the next row, and to that of the panel's next one. */
  stepsOf({ space }: Value): { readonly step: number; readonly lane: number } {
    const step = space === "rows" ? 1 : 0;
    return { step, lane: this.lanes === 3 ? step : 0 };
  }

  /** Whether a value is a list in a space, and not a number for a row or for all. */
  isList(value: Value, space: Space): boolean {
    return value.space === space || (space === "scores" && value.space === "keys");
  }

  /** A value as a list of a space: itself, or made of its numbers. */
  listOfInts(value: Value, space: Space): Int32Array {
    if (this.isList(value, space)) return value.ints;
    const list = new Int32Array(this.lengths[space]);
    const { step, lane } = this.stepsOf(value);
    const { ints } = value;
    this.#fill(value, space, (r, n) => {
      const k = r * step;
      fillInts(list, ints[k] as number, ints[k + lane] as number, ints[k + 2 * lane] as number, n);
    });
    return list;
  }

  /** As {@link listOfInts}. */
  listOfFloats(value: Value, space: Space): Floats {
    if (this.isList(value, space)) return value.floats;
    const { floats } = makeValue(space, "float32", this.lengths[space]);
    const { step, lane } = this.stepsOf(value);
    const { data } = value.floats;
    this.#fill(value, space, (r, n) => {
      const k = r * step;
      const [x, y, z] = [k, k + lane, k + 2 * lane].map((at) => data[at] as number);
      fillFloats(floats.data, 0, x as number, y as number, z as number, n);
    });
    return floats;
  }

  /** The numbers of a batch entry are written once for all rows, keys or scores. */
  #fill(value: Value, space: Space, fill: Instruction): void {
    if (value.space === "batch") this.of.batch.push(() => fill(0, this.lengths[space]));
    else this.of[space].push(fill);
  }

  #number(value: Value, node: ProgramNode): Instruction {
    const values = this.values;
    const numberOf = (n: number): number => {
      const { type, ints, floats } = values[n] as Value;
      return (type === "float32" ? floats.data[0] : ints[0]) as number;
    };
    const store = (x: number): void => {
      if (value.type === "float32") value.floats.data[0] = x;
      else value.ints[0] = x;
    };
    const { args } = node;
    if (node.op === "table") {
      const table = this.bound.tables[node.slot] as TableData;
      const axes = args.map((_, axis) => axis);
      return () => store(lookUp(table, axes, args.map(numberOf)));
    }
    const name = node.op as OperationName;
    const from = this.#typeOf(args[name === "where" ? 1 : 0] as number);
    return () => {
      const [x = 0, y = 0, z = 0] = args.map(numberOf);
      store(applyOperation(name, from, value.type, x, y, z));
    };
  }

  #lists(out: Value, node: ProgramNode): Instruction {
    const name = node.op as OperationName;
    const [a, b] = node.args.map((arg) => this.values[arg]) as [Value, Value];
    if (name === "astype") return conversion(out, a);
    if (name === "where") return this.#choice(out, node.args);
    if (node.args.length === 1) return single(name, out, a);
    return a.type === "float32" ? this.#floats(name, out, a, b) : this.#ints(name, out, a, b);
  }

  #ints(name: string, out: Value, a: Value, b: Value): Instruction {
    if (!this.isList(a, out.space)) {
      const swapped = symmetric.has(name) ? name : mirrored[name];
      if (swapped) return this.#ints(swapped, out, b, a);
    }
    const { ints } = out;
    const loop = intListAndNumbers[name];
    if (loop && this.isList(a, out.space) && !this.isList(b, out.space)) {
      const { step, lane } = this.stepsOf(b);
      const first = a.ints;
      const numbers = b.ints;
      return (r, n) => {
        const k = r * step;
        const [x, y, z] = [numbers[k], numbers[k + lane], numbers[k + 2 * lane]];
        loop(ints, first, x as number, y as number, z as number, n);
      };
    }
    if (isGreater(name)) return this.#ints(mirrored[name] as string, out, b, a);
    const first = this.listOfInts(a, out.space);
    const second = this.listOfInts(b, out.space);
    const lists = intLists[name] as (typeof intLists)[string];
    return (_, n) => lists(ints, first, second, n);
  }

  #floats(name: string, out: Value, a: Value, b: Value): Instruction {
    if (isGreater(name)) return this.#floats(mirrored[name] as string, out, b, a);
    const { space, floats } = out;
    if (comparisons.has(name)) {
      const loop = floatComparisons[name] as (typeof floatComparisons)[string];
      const first = this.listOfFloats(a, space);
      const second = this.listOfFloats(b, space);
      return (_, n) => loop(out.ints, first.data, first.at, second.data, second.at, n);
    }
    if (!this.isList(a, space)) {
      const swapped = symmetric.has(name) ? name : mirrored[name];
      if (swapped) return this.#floats(swapped, out, b, a);
    }
    const loop = floatListAndNumbers[name];
    if (loop && this.isList(a, space) && !this.isList(b, space)) {
      const { step, lane } = this.stepsOf(b);
      const first = a.floats;
      const numbers = b.floats.data;
      return (r, n) => {
        const k = r * step;
        const [x, y, z] = [numbers[k], numbers[k + lane], numbers[k + 2 * lane]];
        const { data, at } = first;
        loop(floats.data, floats.at, data, at, x as number, y as number, z as number, n);
      };
    }
    const lists = floatLists[name] as (typeof floatLists)[string];
    const first = this.listOfFloats(a, space);
    const second = this.listOfFloats(b, space);
    return (_, n) => lists(floats.data, floats.at, first.data, first.at, second.data, second.at, n);
  }

  #choice({ space, type, ints, floats }: Value, args: readonly number[]): Instruction {
    const [condition, a, b] = args.map((arg) => this.values[arg]) as [Value, Value, Value];
    const chooser = this.listOfInts(condition, space);
    if (type === "float32") {
      const first = this.listOfFloats(a, space);
      const second = this.listOfFloats(b, space);
      return (_, n) =>
        chooseFloats(
          floats.data,
          floats.at,
          chooser,
          first.data,
          first.at,
          second.data,
          second.at,
          n,
        );
    }
    const first = this.listOfInts(a, space);
    const second = this.listOfInts(b, space);
    return (_, n) => chooseInts(ints, chooser, first, second, n);
  }

  #typeOf(n: number): ProgramType {
    return (this.bound.form.nodes[n] as ProgramNode).type;
  }
}

/** Names of operations whose operands change places. */
const mirrored: Readonly<Record<string, string>> = {
  less: "greater",
  lessEqual: "greaterEqual",
  greater: "less",
  greaterEqual: "lessEqual",
  subtract: "reverseSubtract",
};
const symmetric: ReadonlySet<string> = new Set(
  "add multiply minimum maximum equal notEqual and or".split(" "),
);
const comparisons: ReadonlySet<string> = new Set("equal notEqual less lessEqual".split(" "));

function isGreater(name: string): boolean {
  return name === "greater" || name === "greaterEqual";
}

function single(name: string, { type, ints, floats }: Value, a: Value): Instruction {
  if (type === "float32") {
    const loop = floatList[name] as (typeof floatList)[string];
    const from = a.floats;
    return (_, n) => loop(floats.data, floats.at, from.data, from.at, n);
  }
  const loop = intList[name] as (typeof intList)[string];
  return (_, n) => loop(ints, a.ints, n);
}

function conversion({ type, ints, floats }: Value, a: Value): Instruction {
  if (type === "float32") return (_, n) => intsToFloats(floats.data, floats.at, a.ints, n);
  if (a.type === "float32") {
    const from = a.floats;
    const loop = type === "bool" ? floatsToBools : floatsToInts;
    return (_, n) => loop(ints, from.data, from.at, n);
  }
  const loop = intList[type === "bool" ? "truth" : "copy"] as (typeof intList)[string];
  return (_, n) => loop(ints, a.ints, n);
}
