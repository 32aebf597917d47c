import { type BatchIntegers, type HostTensor, InvalidInputError } from "@heed/core";

/** The rows that an append writes. It is worked out before anything is written. */
export interface Placement {
  /** `[batch, n]`: row of the tensors for each row of the source; −1 for none. Void with the next placement. */
  readonly slots: Int32Array;
  /** Real tokens among the n rows, one a batch entry. */
  readonly counts: Int32Array;
  /** Rows of the source. */
  readonly n: number;
  /** Pages that are copied before the rows are written, since others share them. */
  readonly copies: readonly PageCopy[];
}

/** The first `rows` rows of a page, which go to another one of the pool. */
export interface PageCopy {
  readonly from: number;
  readonly to: number;
  readonly rows: number;
}

/** The rows of the latest append, as long as nothing was taken back since. */
export interface Chunk {
  readonly n: number;
  /** Real tokens among the n rows, one a batch entry. */
  readonly counts: Int32Array;
  /** Tokens of each batch entry before the append; null if none of its rows was padding. */
  readonly starts: Int32Array | null;
}

/** The inputs of attention that say which rows are there and where. */
export interface PlaceInputs {
  readonly kvLengths: Int32Array;
  readonly queryOffset?: "bottom-right" | BatchIntegers;
  readonly pageTable?: HostTensor<"int32">;
  readonly keyPositions?: HostTensor<"int32">;
  readonly queryPositions?: HostTensor<"int32">;
  readonly window?: { readonly left: number };
  readonly mask?: HostTensor<"bool">;
}

/**
 * Which token is in which row: the part of a cache that holds no keys and values. Every method that
 * throws has changed nothing.
 */
export interface CacheState {
  /** Tokens seen, one a batch entry; not to be written by others. */
  readonly lengths: Int32Array;
  /**
   * The rows for the next tokens. Pages for them are taken from the pool until {@link commit} or
   * {@link abandon}.
   *
   * @param counts real tokens of each batch entry, at most n
   * @throws InvalidInputError naming `key`, if there is no room
   */
  place(counts: Int32Array, n: number): Placement;
  /** Counts the tokens of a placement, once their rows are written. */
  commit(placement: Placement): void;
  /** Gives a placement up whose rows were not written, or not all of them. */
  abandon(placement: Placement): void;
  /**
   * Takes tokens back.
   *
   * @param lengths of each batch entry, from 0 to its present one
   * @throws InvalidInputError naming `lengths`, if rows are gone that calls would see
   */
  truncate(lengths: Int32Array): void;
  /** Tokens that can be taken back one by one, one number a batch entry. */
  rewindable(): readonly number[];
  /** Entry b becomes what entry `indices[b]` was. Rows of static and rolling caches are moved by the caller. */
  reorder(indices: Int32Array): void;
  /** The same state, which changes apart from this one. */
  fork(): CacheState;
  /** Takes everything back. */
  clear(): void;
  /**
   * Inputs of a call.
   *
   * @param queryLength rows of the query
   * @param chunk the latest append, if those are its rows
   * @param window rolling: how far back the call looks, if that is less than the cache's own window
   * @param ownPositions rolling: whether kept tokens have their own positions. Default false
   * @throws InvalidInputError naming `queryLength`, if rows are gone that the query would see
   */
  inputs(
    queryLength: number,
    chunk: Chunk | null,
    window?: number,
    ownPositions?: boolean,
  ): PlaceInputs;
  /** Batch entries or pages that hold tokens, and how many of their first rows do. */
  used(): readonly { readonly entry: number; readonly rows: number }[];
  /** State as integers by name, for {@link restore}, which gets the entries of {@link used} in that order. */
  save(): Readonly<Record<string, Int32Array>>;
  /**
   * Takes a saved state over, into a state that was not used yet.
   *
   * @param saved may hold anything
   * @throws InvalidInputError naming what is wrong with it
   */
  restore(saved: Readonly<Record<string, Int32Array | undefined>>): void;
}

/** Position of the query's rows: those of the latest append, some of which may be padding, or the last ones. */
export function queryOffsetOf(chunk: Chunk | null): "bottom-right" | Int32Array {
  return chunk?.starts?.slice() ?? "bottom-right";
}

/**
 * The rows of an append.
 *
 * @param lengths before it
 */
export function chunkOf(
  { n, counts }: Pick<Placement, "n" | "counts">,
  lengths: Int32Array,
): Chunk {
  // A loop, as it runs for each token: a closure would be left on the heap.
  for (let b = 0; b < counts.length; b++) {
    if (counts[b] !== n) return { n, counts, starts: lengths.slice() };
  }
  return { n, counts, starts: null };
}

/** Room for the slots of one placement after another: a decoder has one for each token. */
export class SlotRoom {
  #slots = new Int32Array(0);

  /** So many slots of −1, which hold until the next call. */
  take(count: number): Int32Array {
    if (this.#slots.length !== count) this.#slots = new Int32Array(count);
    return this.#slots.fill(-1);
  }
}

/**
 * Integers as calls get them, one array for all: a decoder asks for each token, and what it was given before is void
 * once the cache has changed.
 */
export class GivenIntegers {
  #given = new Int32Array(0);

  /** The integers of the present state, which hold until the next call. */
  give(values: Int32Array): Int32Array {
    if (this.#given.length !== values.length) this.#given = new Int32Array(values.length);
    this.#given.set(values);
    return this.#given;
  }
}

/** Elements of an array at each of some indices. */
export function taken(values: Int32Array, indices: Int32Array): Int32Array {
  return indices.map((index) => values[index] as number);
}

/**
 * Integers of a saved state.
 *
 * @throws InvalidInputError unless there are as many as there must be, within the limits
 */
export function savedIntegers(
  name: string,
  values: Int32Array | undefined,
  count: number,
  [least, most]: readonly [number, number],
): Int32Array {
  if (values === undefined || values.length !== count) {
    throw new InvalidInputError(name, `${count} integers`, `${values?.length ?? "none"}`);
  }
  const wrong = values.find((value) => value < least || value > most);
  if (wrong === undefined) return values;
  throw new InvalidInputError(name, `integers from ${least} to ${most}`, `${wrong}`);
}
