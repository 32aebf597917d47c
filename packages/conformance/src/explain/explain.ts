import {
  type AttentionInputs,
  type AttentionOutputs,
  type HostTensor,
  type PlanDescription,
  referenceAttention,
  toFloat64,
} from "@heed/core";
import { onBatch, onHead, onQueries } from "../laws/transform.js";
import { hypotheses } from "./hypotheses.js";
import { logitMistakes } from "./logits.js";
import { explainStatistics } from "./statistics.js";
import { tileKeyMistakes } from "./tile-keys.js";
import { type Logits, logitsOf, tiledOutput, tileMistakes } from "./tiles.js";

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

/** A mistake, as what it makes of a call: another call, or other sums over its logits. */
interface Candidate {
  readonly name: string;
  readonly change: ((call: Call) => Call | null) | null;
  readonly sum: ((logits: Logits, from: number, to: number) => Float64Array | null) | null;
}

/** Tile sizes that are tried, with those that a plan tells. */
const tileSizes = [4, 8, 16, 32, 64, 128];

function candidatesFor(tiles: Readonly<Record<string, number>>): readonly Candidate[] {
  const sizes = new Set([...tileSizes, ...Object.values(tiles).filter((size) => size > 1)]);
  return [
    ...[...hypotheses, ...logitMistakes, ...[...sizes].flatMap(tileKeyMistakes)].map(
      ({ name, change }) => ({ name, change, sum: null }),
    ),
    ...[...sizes].flatMap((tile) =>
      tileMistakes.map(({ name, make }) => ({
        name: name(tile),
        change: null,
        sum: (logits: Logits, from: number, to: number) =>
          tiledOutput(logits, tile, make, from, to),
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
  const own = new Maker(inputs);
  const tried = candidates.map((candidate) => ({
    candidate,
    explained: came.samples.filter((row) => came.isRow(row, own.row(candidate, row))),
  }));
  const alone = tried
    .filter(({ explained }) => explained.length === came.samples.length)
    .filter(({ candidate }) => came.isAll(own.all(candidate)))
    .map(({ candidate }) => [candidate.name]);
  if (alone.length > 0 || cost > mostOfPairs) return alone;
  return tried
    .filter(({ explained, candidate }) => explained.length > 0 && candidate.change !== null)
    .sort((a, b) => b.explained.length - a.explained.length)
    .slice(0, mostFirsts)
    .flatMap(({ candidate: first }) => {
      const changed = first.change?.(inputs);
      if (!changed) return [];
      const both = new Maker(changed);
      return candidates
        .filter(({ name }) => name !== first.name)
        .filter((second) => came.samples.every((row) => came.isRow(row, both.row(second, row))))
        .filter((second) => came.isAll(both.all(second)))
        .map(({ name }) => [first.name, name]);
    });
}

function plainOutput(inputs: Call): Float64Array {
  return toFloat64(referenceAttention({ ...inputs, returns: undefined }).output);
}

/** Makes mistakes on a call, row by row where that is enough. */
class Maker {
  readonly #call: Call;
  readonly #changed = new Map<string, Call | null>();
  #logits: Logits | null = null;

  constructor(call: Call) {
    this.#call = call;
  }

  /** A row of the output; `null` where the mistake makes nothing of the call. */
  row({ name, change, sum }: Candidate, row: number): Float64Array | null {
    return orNull(() => {
      if (sum) return sum(this.#allLogits(), row, row + 1);
      const changed = this.#change(name, change);
      if (changed === null) return null;
      const [, heads, queries] = changed.query.shape as [number, number, number];
      const [b, h] = [Math.floor(row / (heads * queries)), Math.floor(row / queries) % heads];
      const i = row % queries;
      return plainOutput(onQueries(onHead(onBatch(changed, b), h), i, i + 1));
    });
  }

  all({ name, change, sum }: Candidate): Float64Array | null {
    return orNull(() => {
      if (sum) return sum(this.#allLogits(), 0, this.#allLogits().rows);
      const changed = this.#change(name, change);
      return changed && plainOutput(changed);
    });
  }

  #change(name: string, change: Candidate["change"]): Call | null {
    const known = this.#changed.get(name);
    if (known !== undefined) return known;
    // What it makes of a call cannot always be said.
    const changed = change && orNull(() => change(this.#call));
    this.#changed.set(name, changed);
    return changed;
  }

  #allLogits(): Logits {
    this.#logits ??= logitsOf(this.#call);
    return this.#logits;
  }
}

function orNull<T>(make: () => T | null): T | null {
  try {
    return make();
  } catch {
    return null;
  }
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
    const largest = right.reduce((a, x) => (Number.isFinite(x) ? Math.max(a, Math.abs(x)) : a), 0);
    // Mistakes make far larger differences, rounding far smaller ones.
    this.#allowed = 1e-3 * largest;
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

  isAll(made: Float64Array | null): boolean {
    return made !== null && made.length === this.#got.length && this.#is(0, made);
  }

  #is(start: number, made: Float64Array): boolean {
    return made.every((y, at) => {
      const x = this.#got[start + at] as number;
      return Object.is(x, y) || Math.abs(x - y) <= this.#allowed;
    });
  }
}
