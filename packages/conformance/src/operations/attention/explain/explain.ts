import {
  type AttentionInputs,
  type AttentionOutputs,
  type HostTensor,
  type PlanDescription,
  referenceAttention,
  toFloat64,
} from "@heed/core";
import { onBatch, onHead, onQueries } from "../laws/transform.js";
import { windowMistakes } from "./bands.js";
import { denominatorMistakes, scaledOutput } from "./denominators.js";
import { type Hypothesis, hypotheses } from "./hypotheses.js";
import { logitMistakes } from "./logits.js";
import { neighbours } from "./neighbours.js";
import { explainStatistics } from "./statistics.js";
import { rowTails, tails } from "./tails.js";
import { tileKeyMistakes } from "./tile-keys.js";
import { type Logits, logitsOf, tiledOutput, tileMistakes } from "./tiles.js";
import { wrongSizes } from "./wrong-sizes.js";

type Call = AttentionInputs<HostTensor>;

/** Mistakes that together give what a backend gave. */
export type Explanation = readonly string[];

/** Multiply-adds of a call past which looking for explanations takes too long: for one, and for two. */
const most = 4e6;
const mostOfPairs = 5e5;

/** How many mistakes that explain some rows are tried together with each other one. */
const mostFirsts = 3;

/** Wrong rows that a mistake has to give before it is made as a whole. */
const mostSamples = 6;

/** A mistake that is tried. */
interface Candidate {
  readonly name: string;
  /** The call that is computed instead, where it can be said as one: others can be made on that. */
  readonly change: Hypothesis["change"] | null;
  /** What it makes of a call; of one row, or of all. `null` where that is nothing. */
  readonly output: (on: Trial, row: number | null) => Float64Array | null;
}

/** Tile sizes that are tried, with those that a plan tells. */
const tileSizes = [4, 8, 16, 32, 64, 128];

/** Mistakes that make another call of a call. */
export function changesFor(sizes: readonly number[]): Hypothesis[] {
  return [
    ...hypotheses,
    ...windowMistakes,
    ...neighbours,
    ...wrongSizes,
    ...tails,
    ...logitMistakes,
    ...sizes.flatMap(tileKeyMistakes),
  ];
}

function candidatesFor(tiles: Readonly<Record<string, number>>): readonly Candidate[] {
  const told = Object.values(tiles).filter((size) => size > 1);
  const sizes = [...new Set([...tileSizes, ...told])];
  return [
    ...changesFor(sizes).map(({ name, change }) => ({
      name,
      change,
      output: (on: Trial, row: number | null) => on.changed(name, change, row),
    })),
    ...denominatorMistakes.map((mistake) => ({
      name: mistake.name,
      change: null,
      output: (on: Trial, row: number | null) => scaledOutput(mistake, on.callOf(row)),
    })),
    ...rowTails.map(({ name, rows }) => ({
      name,
      change: null,
      output: (on: Trial, row: number | null) => on.firstRows(rows, row),
    })),
    ...sizes.flatMap((tile) =>
      tileMistakes.map(({ name, make }) => ({
        name: name(tile),
        change: null,
        output: (on: Trial, row: number | null) => tiledOutput(on.logits(row), tile, make),
      })),
    ),
  ];
}

/**
 * Which known mistakes would give what a backend gave: each is made in float64 and compared; and where
 * none alone gives it, two of which one gives some of its rows.
 *
 * @param description of the plan that ran: its tiles' sizes are tried, besides usual ones
 * @returns alternatives; empty where none explains it
 */
export function explainOutputs(
  inputs: Call,
  outputs: AttentionOutputs<HostTensor>,
  { tiles }: Pick<PlanDescription, "tiles">,
): Explanation[] {
  const { output } = outputs;
  const [batch, heads, queries, size] = inputs.query.shape as [number, number, number, number];
  const keys = inputs.key.shape[2] as number;
  const cost = batch * heads * queries * keys * size;
  if (output === undefined || cost > most) return [];
  const got = toFloat64(output);
  const expected = plainOutput(inputs);
  if (got.length !== expected.length) return [];
  const came = new Came(got, expected, output.shape);
  if (came.nothingWrong) return explainStatistics(inputs, outputs).map((name) => [name]);

  const candidates = candidatesFor(tiles);
  const own = new Trial(inputs);
  const tried = candidates.map((candidate) => ({
    candidate,
    explained: came.samples.filter((row) => came.isRow(row, own.make(candidate, row))),
  }));
  const alone = tried
    .filter(({ explained }) => explained.length === came.samples.length)
    .filter(({ candidate }) => came.is(own, candidate))
    .map(({ candidate }) => [candidate.name]);
  if (alone.length > 0 || cost > mostOfPairs) return alone;
  const firsts = tried
    .filter(({ explained }) => explained.length > 0)
    .sort((one, other) => other.explained.length - one.explained.length)
    .slice(0, mostFirsts)
    .map(({ candidate }) => candidate);
  const pairs = firsts.flatMap((first) => {
    const others = candidates.filter(({ name }) => name !== first.name);
    // One of the two is a call of its own, on which the other is made.
    if (first.change) {
      const on = own.on(first);
      return on
        ? others.filter((other) => came.is(on, other)).map(({ name }) => [first.name, name])
        : [];
    }
    return others
      .filter((other) => {
        const on = own.on(other);
        return on !== null && came.is(on, first);
      })
      .map(({ name }) => [name, first.name]);
  });
  return [...new Map(pairs.map((pair) => [[...pair].sort().join(), pair])).values()];
}

function plainOutput(inputs: Call): Float64Array {
  return toFloat64(referenceAttention({ ...inputs, returns: undefined }).output);
}

/** Mistakes are made on a call, row by row where that is enough. */
class Trial {
  readonly #call: Call;
  readonly #changed = new Map<string, Call | null>();
  readonly #logits = new Map<number | null, Logits>();

  constructor(call: Call) {
    this.#call = call;
  }

  /** What comes out with a mistake; `null` where that cannot be said. */
  make({ output }: Candidate, row: number | null): Float64Array | null {
    return orNull(() => output(this, row));
  }

  /** The call, or that of one of its rows. */
  callOf(row: number | null, call: Call = this.#call): Call {
    if (row === null) return call;
    const [, heads, queries] = call.query.shape as [number, number, number];
    const [b, h] = [Math.floor(row / (heads * queries)), Math.floor(row / queries) % heads];
    const i = row % queries;
    return onQueries(onHead(onBatch(call, b), h), i, i + 1);
  }

  /** The output with 0 in the query rows past as many as a mistake computes. */
  firstRows(count: (queries: number) => number | null, row: number | null): Float64Array | null {
    const [queries, size] = [this.#call.query.shape[2], this.#call.value.shape[3]] as number[];
    const rows = count(queries as number);
    if (rows === null) return null;
    return plainOutput(this.callOf(row)).map((x, at) => {
      const own = row ?? Math.floor(at / (size as number));
      return own % (queries as number) < rows ? x : 0;
    });
  }

  /** A trial of the call that a mistake makes of this one; `null` where it makes none. */
  on({ name, change }: Candidate): Trial | null {
    const call = change && this.#change(name, change);
    return call && new Trial(call);
  }

  changed(name: string, change: Hypothesis["change"], row: number | null): Float64Array | null {
    const call = this.#change(name, change);
    return call && plainOutput(this.callOf(row, call));
  }

  #change(name: string, change: Hypothesis["change"]): Call | null {
    if (!this.#changed.has(name))
      this.#changed.set(
        name,
        orNull(() => change(this.#call)),
      );
    return this.#changed.get(name) ?? null;
  }

  /** Of the call, or of one of its rows. */
  logits(row: number | null): Logits {
    const found = this.#logits.get(row) ?? logitsOf(this.callOf(row));
    this.#logits.set(row, found);
    return found;
  }
}

function orNull<T>(make: () => T | null): T | null {
  try {
    return make();
  } catch {
    return null;
  }
}

function largestOf(numbers: Float64Array): number {
  return numbers.reduce((a, x) => (Number.isFinite(x) ? Math.max(a, Math.abs(x)) : a), 0);
}

/** An output that came, and which of its rows are wrong. */
class Came {
  /** Some wrong rows, spread over all of them. */
  readonly samples: readonly number[];
  readonly #got: Float64Array;
  readonly #rowSize: number;
  readonly #allowed: number;

  constructor(got: Float64Array, right: Float64Array, shape: readonly number[]) {
    this.#got = got;
    this.#rowSize = shape[3] as number;
    // Mistakes make far larger differences, rounding far smaller ones. Where 0 is right everywhere,
    // what came is all there is to go by.
    this.#allowed = 1e-3 * (largestOf(right) || largestOf(got));
    const rows = this.#rowSize === 0 ? 0 : got.length / this.#rowSize;
    const wrong = Array.from({ length: rows }, (_, row) => row).filter(
      (row) => !this.isRow(row, right.subarray(row * this.#rowSize, (row + 1) * this.#rowSize)),
    );
    const step = Math.max(1, wrong.length / mostSamples);
    this.samples = wrong.filter((_, at) => Math.floor(at / step) > Math.floor((at - 1) / step));
  }

  get nothingWrong(): boolean {
    return this.samples.length === 0;
  }

  isRow(row: number, made: Float64Array | null): boolean {
    return made !== null && made.length === this.#rowSize && this.#is(row * this.#rowSize, made);
  }

  /** Whether it is what a mistake gives: first in some rows, then in all. */
  is(on: Trial, mistake: Candidate): boolean {
    if (!this.samples.every((row) => this.isRow(row, on.make(mistake, row)))) return false;
    const made = on.make(mistake, null);
    // NaN everywhere comes of too many mistakes to name one.
    if (made === null || made.every(Number.isNaN)) return false;
    return made.length === this.#got.length && this.#is(0, made);
  }

  #is(start: number, made: Float64Array): boolean {
    return made.every((y, at) => {
      const x = this.#got[start + at] as number;
      return Object.is(x, y) || Math.abs(x - y) <= this.#allowed;
    });
  }
}
