import type { FloatDType } from "@heed/core";
import type { Layout } from "../attention/spec.js";

/** Source of the cosines and sines. */
export type RotarySource =
  /** A base of the frequencies. */
  | "theta"
  /** The frequencies, as scalings of long contexts give them. */
  | "frequencies"
  /** Tables that positions are looked up in. */
  | "table"
  /** Tables of the input's own dtype. */
  | "own-table"
  /** Tables with one row for each token. */
  | "rows";

/** How the call states the positions of its tokens. */
export type RotaryPositions =
  /** No positions are given: they are 0, 1, 2, … */
  | "none"
  /** One offset for all batches. */
  | "offset"
  /** One offset a batch. */
  | "offset-per-batch"
  /** Positions of tokens, of all batches. */
  | "shared"
  /** Positions of tokens, of each batch. */
  | "per-batch";

/** A synthetic call of rotary position embedding as data. */
export interface RotarySpec {
  /** Default 1. */
  readonly batch?: number;
  /** Default 2. */
  readonly heads?: number;
  readonly length: number;
  /** Default 16. */
  readonly headDim?: number;
  /** Default headDim. */
  readonly rotaryDim?: number;
  readonly interleaved?: boolean;
  /** Default float32. */
  readonly dtype?: FloatDType;
  /** Default bhld. */
  readonly layout?: Exclude<Layout, "packed">;
  /** Default theta. */
  readonly source?: RotarySource;
  /** Default none. */
  readonly positions?: RotaryPositions;
  /** Position of the first token, for `positions: "offset"`. Default 3. */
  readonly offset?: number;
  /** One element of the last token is NaN. */
  readonly notANumber?: boolean;
}
