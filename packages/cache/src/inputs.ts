import type { AttentionWindow, BatchIntegers, HostTensor, Tensor } from "@heed/core";

/** Inputs of `cache.append`. */
export interface AppendInputs {
  /** `[batch, kvHeads, n, headDim]`; float32, or for caches of float16 and int8 also float16. */
  readonly key: Tensor;
  /** `[batch, kvHeads, n, valueDim]`, of the key's dtype. */
  readonly value: Tensor;
  /**
   * How many of the n rows each entry really has, from 0 to n; the rows after them are padding and are not
   * stored. Default: n for each.
   */
  readonly lengths?: BatchIntegers | undefined;
}

/** Options of `cache.inputs`. */
export interface InputsOptions {
  /**
   * Rows of the query. Default: the query has the rows of the latest append. With another number they are
   * the last ones of each entry.
   */
  readonly queryLength?: number | undefined;
  /**
   * Rolling: how far back the call looks, an integer ≥ 0, where that is less than the cache's own window.
   * Kept tokens are seen in any case.
   */
  readonly window?: number | undefined;
  /**
   * Rolling, with kept tokens: whether these have their own positions, which ALiBi and programs then see.
   * Default false: they are given the position of the query's first row, which is inside every window, so that
   * most calls need no mask.
   */
  readonly ownPositions?: boolean | undefined;
}

/**
 * The inputs of attention that a cache gives: keys, values, and whatever says how they are stored and where
 * the query's rows are. They are those of the present state, until the cache changes: then the next inputs are
 * written to the same arrays.
 */
export interface CacheInputs {
  /** `[batch, kvHeads, capacity, headDim]`, or with pages `[pages, kvHeads, pageSize, headDim]`. */
  readonly key: Tensor;
  /** `[batch, kvHeads, capacity, valueDim]`, or with pages `[pages, kvHeads, pageSize, valueDim]`. */
  readonly value: Tensor;
  /** int8: float32 `[batch, kvHeads, capacity]`, or with pages `[pages, kvHeads, pageSize]`. */
  readonly keyScales?: Tensor;
  readonly valueScales?: Tensor;
  /** Rows of key and value that are in use, one number a batch entry. */
  readonly kvLengths: Int32Array;
  /** Static and paged: the position of the query's first row. */
  readonly queryOffset?: "bottom-right" | BatchIntegers;
  /** Paged: int32 `[batch, pages of one entry]`. */
  readonly pageTable?: HostTensor<"int32">;
  /** Rolling: positions of the tokens in the rows, int32 `[batch, capacity]`; see `ownPositions`. */
  readonly keyPositions?: HostTensor<"int32">;
  /** Rolling: positions of the query's rows, int32 `[batch, queryLength]`. */
  readonly queryPositions?: HostTensor<"int32">;
  /** Rolling: the window. */
  readonly window?: AttentionWindow;
  /**
   * Rolling with kept tokens, in place of the window: what each row sees, where the query is longer than the
   * window, or where tokens keep their own positions.
   */
  readonly mask?: HostTensor<"bool">;
}
