import { referenceAttention, toFloat64 } from "@heed/core";
import { onBatch, onHead, onQueries } from "../laws/transform.js";
import type { Call } from "../mistakes/mistake.js";
import { type Logits, logitsOf } from "../mistakes/tiled-softmax.js";

/** A mistake that makes another call of a call. */
export type Change = (call: Call) => Call | null;

/** A mistake that is tried. */
export interface Candidate {
  readonly name: string;
  /** Makes the call that is computed instead, on which a second mistake can be tried; `null` if none is. */
  readonly change: Change | null;
  /** Output of a call with this mistake, for one row or (`null`) all; `null` if it does not apply. */
  readonly output: (on: Trial, row: number | null) => Float64Array | null;
}

/** The right output. */
export function plainOutput(inputs: Call): Float64Array {
  return toFloat64(referenceAttention({ ...inputs, returns: undefined }).output);
}

/** Applies mistakes to a call, to single rows of it where that is enough. */
export class Trial {
  readonly #call: Call;
  readonly #changed = new Map<string, Call | null>();
  readonly #logits = new Map<number | null, Logits>();

  constructor(call: Call) {
    this.#call = call;
  }

  /** Output with a mistake, for one row or (`null`) all; `null` if it does not apply or cannot be computed. */
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

  changed(name: string, change: Change, row: number | null): Float64Array | null {
    const call = this.#change(name, change);
    return call && plainOutput(this.callOf(row, call));
  }

  #change(name: string, change: Change): Call | null {
    if (!this.#changed.has(name))
      this.#changed.set(
        name,
        orNull(() => change(this.#call)),
      );
    return this.#changed.get(name) ?? null;
  }

  /** Logits of the call, or of one of its rows. */
  logits(row: number | null): Logits {
    const found = this.#logits.get(row) ?? logitsOf(this.callOf(row));
    this.#logits.set(row, found);
    return found;
  }
}

/** The result of a function; null if it throws, as where a mistake makes an invalid call. */
export function orNull<T>(make: () => T | null): T | null {
  try {
    return make();
  } catch {
    return null;
  }
}
