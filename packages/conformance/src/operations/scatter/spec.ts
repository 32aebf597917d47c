import type { FloatDType } from "@heed/core";
import type { Layout } from "../attention/spec.js";

/** Rows of the target that a call names. */
export type SlotPattern =
  /** Rows one after another, from a start of each batch entry's own. */
  | "append"
  /** The same, with −1 for every third row. */
  | "holes"
  /** Rows far from each other, not in order. */
  | "mixed"
  /** Nothing but −1. */
  | "none";

/** A synthetic call of scatter as data. */
export interface ScatterSpec {
  /** Default 2. */
  readonly batch?: number;
  /** Default 2. */
  readonly heads?: number;
  /** Rows of the source. */
  readonly count: number;
  /** Default 8. */
  readonly headDim?: number;
  /** Rows of each entry or page. Default 7. */
  readonly rows?: number;
  /** Number of pages; left out, the target is static. */
  readonly pages?: number;
  /** Default float32. */
  readonly source?: FloatDType;
  /** Default float32. */
  readonly target?: FloatDType | "int8";
  /** Default append. */
  readonly slots?: SlotPattern;
  /** Layout of the target. Default bhld. */
  readonly layout?: Exclude<Layout, "packed">;
  /** Layout of the source. Default bhld. */
  readonly from?: Exclude<Layout, "packed">;
  /** Default standard normal; `edges`: halves, zeros, extremes of the dtypes; `nan`: a NaN and an infinity. */
  readonly values?: "normal" | "edges" | "nan";
}
