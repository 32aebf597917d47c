import { applyOperation } from "../arithmetic.js";
import type { BoundProgram } from "../bound.js";
import { lookUp } from "../evaluate.js";
import type { ProgramNode } from "../form.js";
import type { TableData } from "../sources.js";
import type { OperationName, ProgramType } from "../types.js";
import {
  fillFloats,
  floatComparisons,
  floatList,
  floatListAndNumbers,
  floatLists,
  intsToFloats,
} from "./float-loops.js";
import {
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
  /** Values of nodes; of those that wait for their reader, once it has asked for them. */
  readonly #values: Value[] = [];
  readonly #waiting = new Map<
    number,
    { readonly compile: () => Value; readonly node: ProgramNode | null }
  >();
  readonly bound: BoundProgram;
  /** Elements of a value, by space. */
  readonly lengths: Readonly<Record<Space, number>>;
  /** Rows of a panel: 1 or 3. */
  readonly lanes: number;

  /** Whether floats are those of `programEvaluator`; otherwise to float32's accuracy. */
  readonly exact: boolean;

  constructor(
    bound: BoundProgram,
    lengths: Readonly<Record<Space, number>>,
    lanes: number,
    exact: boolean,
  ) {
    this.bound = bound;
    this.lengths = lengths;
    this.lanes = lanes;
    this.exact = exact;
  }

  /** Says where a node's values are. */
  put(n: number, value: Value): void {
    this.#values[n] = value;
  }

  /**
   * Says how a node is compiled, unless its reader does it too.
   *
   * @param node null where its operands are not computed
   */
  putWaiting(n: number, compile: () => Value, node: ProgramNode | null): void {
    this.#waiting.set(n, { compile, node });
  }

  /** A node's values; a node that waits is compiled. */
  value(n: number): Value {
    const waiting = this.#waiting.get(n);
    if (waiting) {
      this.#waiting.delete(n);
      this.#values[n] = waiting.compile();
    }
    return this.#values[n] as Value;
  }

  isWaiting(n: number): boolean {
    return this.#waiting.has(n);
  }

  /** A node that waits for its reader, and whose operands are computed; null for others. */
  waitingNode(n: number): ProgramNode | null {
    return this.#waiting.get(n)?.node ?? null;
  }

  /** Has instructions of a space added, and keeps them apart: the caller runs them where they are needed. */
  apart(
    space: Space,
    add: () => Value,
  ): { readonly value: Value; readonly instructions: readonly Instruction[] } {
    const list = this.of[space];
    const before = list.length;
    const value = add();
    return { value, instructions: list.splice(before) };
  }

  /** Adds the instruction of an operation that writes to a value, and whose operands are values already. */
  compile(value: Value, node: ProgramNode): void {
    if (value.space === "batch") this.of.batch.push(this.#number(value, node));
    else this.of[value.space].push(this.#lists(value, node));
  }

  /** Adds an instruction that copies floats of any space to where a list of scores begins when it runs. */
  copyScores(to: Floats, n: number): void {
    const value = this.value(n);
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
    const numberOf = (n: number): number => {
      const { type, ints, floats } = this.value(n);
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
      const [x, y, z] = args.map(numberOf) as [number, number, number];
      store(applyOperation(name, from, value.type, x, y, z));
    };
  }

  #lists(out: Value, node: ProgramNode): Instruction {
    const name = node.op as OperationName;
    const [a, b] = node.args.map((arg) => this.value(arg)) as [Value, Value];
    if (name === "astype") return conversion(out, a);
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
