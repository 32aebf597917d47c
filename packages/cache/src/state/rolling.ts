import { type HostTensor, InvalidInputError, tensor } from "@heed/core";
import {
  type CacheState,
  type Chunk,
  type PlaceInputs,
  type Placement,
  queryOffsetOf,
  SlotRoom,
  savedIntegers,
  taken,
} from "./state.js";

const noCopies: Placement["copies"] = [];

/** Position of rows that hold no token: before every window, and far from the ends of int32. */
const nowhere = -(2 ** 30);

/** Most tokens of an entry: positions stay within int32, whatever is added to them. */
const mostTokens = 2 ** 30;

/** Sizes of a rolling cache. */
export interface RollingSizes {
  readonly batch: number;
  /** Rows of an entry. */
  readonly capacity: number;
  readonly window: number;
  readonly keep: number;
}

/** Positions as calls get them, with what they are written to. They hold for calls that ask for the same. */
interface GivenPositions {
  readonly queryLength: number;
  readonly ownPositions: boolean;
  /** `[batch]`: position of each entry's first query row. */
  readonly firsts: Int32Array;
  /** `[batch]`: rows that hold a token. */
  readonly filled: Int32Array;
  readonly keys: HostTensor<"int32">;
  readonly queries: HostTensor<"int32">;
  readonly window: { readonly left: number };
}

/**
 * The first `keep` tokens of an entry are in its first rows. The other rows are a ring: token t is in
 * row keep + (t − keep) mod ring, until the token `ring` later takes its place.
 *
 * The ring may be longer than the window. The rows beyond are what makes it possible to append and attend
 * to several tokens at once, and to take tokens back: what a query at position p sees, tokens from
 * p − window on, must all be there. `#low` says from which token on they are.
 */
export class RollingState implements CacheState {
  readonly lengths: Int32Array;
  readonly #sizes: RollingSizes;
  readonly #ring: number;
  readonly #room = new SlotRoom();
  #given: GivenPositions | null = null;
  /** First token of each entry, from `keep` on, that is still in the ring, with all after it. */
  readonly #low: Int32Array;
  /** `[batch, capacity]`: position of the token in each row, or {@link nowhere}. */
  #positions: Int32Array;

  constructor(sizes: RollingSizes) {
    const { batch, capacity, keep } = sizes;
    this.#sizes = sizes;
    this.#ring = capacity - keep;
    this.lengths = new Int32Array(batch);
    this.#low = new Int32Array(batch).fill(keep);
    this.#positions = new Int32Array(batch * capacity).fill(nowhere);
  }

  /** There is always room: of more tokens than the ring has rows, the last ones stay. */
  place(counts: Int32Array, n: number): Placement {
    const { keep } = this.#sizes;
    const slots = this.#room.take(counts.length * n);
    for (let b = 0; b < counts.length; b++) {
      const [length, count] = [this.lengths[b] as number, counts[b] as number];
      if (length + count > mostTokens) {
        throw new InvalidInputError("key", "at most 2^30 tokens in all", `${length + count}`);
      }
      const stays = length + count - this.#ring;
      for (let i = 0; i < count; i++) {
        const token = length + i;
        if (token < keep || token >= stays) slots[b * n + i] = this.#rowOf(token);
      }
    }
    return { slots, counts, n, copies: noCopies };
  }

  commit({ slots, counts, n }: Placement): void {
    const { capacity } = this.#sizes;
    for (let b = 0; b < counts.length; b++) {
      const [length, count] = [this.lengths[b] as number, counts[b] as number];
      for (let i = 0; i < count; i++) {
        const slot = slots[b * n + i] as number;
        if (slot !== -1) this.#positions[b * capacity + slot] = length + i;
      }
      this.lengths[b] = length + count;
      this.#low[b] = Math.max(this.#low[b] as number, length + count - this.#ring);
    }
  }

  /** Rows of the placement may have been written: the tokens that were there are gone. */
  abandon({ slots, counts, n }: Placement): void {
    const { capacity } = this.#sizes;
    for (let b = 0; b < counts.length; b++) {
      for (let i = 0; i < n; i++) {
        const slot = slots[b * n + i] as number;
        if (slot !== -1) this.#positions[b * capacity + slot] = nowhere;
      }
      const end = (this.lengths[b] as number) + (counts[b] as number);
      this.#low[b] = Math.max(this.#low[b] as number, end - this.#ring);
    }
  }

  truncate(lengths: Int32Array): void {
    for (let b = 0; b < lengths.length; b++) {
      const length = lengths[b] as number;
      if (length === this.lengths[b] || this.#isExact(b, length)) continue;
      const { keep } = this.#sizes;
      const first = keep > 0 ? `, or at most ${keep}` : ", or 0";
      throw new InvalidInputError(
        "lengths",
        `at least ${this.#shortest(b)}${first}, in batch entry ${b}: earlier rows are gone`,
        `${length}`,
      );
    }
    for (let b = 0; b < lengths.length; b++) this.#shorten(b, lengths[b] as number);
  }

  #shorten(b: number, length: number): void {
    const { keep, capacity } = this.#sizes;
    const low = this.#low[b] as number;
    for (let token = length; token < (this.lengths[b] as number); token++) {
      if (token >= keep && token < low) token = low;
      if (token < (this.lengths[b] as number)) {
        this.#positions[b * capacity + this.#rowOf(token)] = nowhere;
      }
    }
    this.lengths[b] = length;
    if (length <= keep) this.#low[b] = keep;
  }

  /** Whether the token after `length` tokens would find everything that it sees. */
  #isExact(b: number, length: number): boolean {
    const { keep, window } = this.#sizes;
    return length <= keep || (this.#low[b] as number) <= Math.max(keep, length - window);
  }

  /** The smallest length from which on every one is exact. */
  #shortest(b: number): number {
    const { keep, window } = this.#sizes;
    const low = this.#low[b] as number;
    return low === keep ? 0 : low + window;
  }

  rewindable(): readonly number[] {
    return Array.from(this.lengths, (length, b) => Math.max(0, length - this.#shortest(b)));
  }

  reorder(indices: Int32Array): void {
    const { capacity } = this.#sizes;
    const positions = new Int32Array(this.#positions.length);
    for (let b = 0; b < indices.length; b++) {
      const from = (indices[b] as number) * capacity;
      positions.set(this.#positions.subarray(from, from + capacity), b * capacity);
    }
    this.#positions = positions;
    this.lengths.set(taken(this.lengths, indices));
    this.#low.set(taken(this.#low, indices));
  }

  fork(): RollingState {
    const fork = new RollingState(this.#sizes);
    fork.lengths.set(this.lengths);
    fork.#low.set(this.#low);
    fork.#positions.set(this.#positions);
    return fork;
  }

  clear(): void {
    this.lengths.fill(0);
    this.#low.fill(this.#sizes.keep);
    this.#positions.fill(nowhere);
  }

  inputs(
    queryLength: number,
    chunk: Chunk | null,
    most: number = this.#sizes.window,
    ownPositions: boolean = false,
  ): PlaceInputs {
    const { capacity } = this.#sizes;
    const batch = this.lengths.length;
    const offset = queryOffsetOf(chunk);
    const look = Math.min(most, this.#sizes.window);
    // Written anew for each token: what a call was given before is void once the cache has changed.
    const given = this.#givenFor(queryLength, look, ownPositions);
    const { firsts, filled, keys, queries, window } = given;
    for (let b = 0; b < batch; b++) {
      const length = this.lengths[b] as number;
      firsts[b] = offset === "bottom-right" ? length - queryLength : (offset[b] as number);
      // Rows fill from the first one on.
      filled[b] = Math.min(length, capacity);
    }
    this.#checkVisible(firsts, queryLength);
    keys.data.set(this.#positions);
    for (let b = 0; b < batch; b++) {
      for (let i = 0; i < queryLength; i++) {
        queries.data[b * queryLength + i] = (firsts[b] as number) + i;
      }
    }
    if (this.#placeKept(keys.data, given)) {
      return { kvLengths: filled, keyPositions: keys, queryPositions: queries, window };
    }
    keys.data.set(this.#positions);
    const mask = this.#mask(given);
    return { kvLengths: filled, keyPositions: keys, queryPositions: queries, mask };
  }

  #givenFor(queryLength: number, look: number, ownPositions: boolean): GivenPositions {
    const given = this.#given;
    const same =
      given?.queryLength === queryLength &&
      given.window.left === look &&
      given.ownPositions === ownPositions;
    if (same) return given;
    const { batch, capacity } = this.#sizes;
    this.#given = {
      queryLength,
      ownPositions,
      firsts: new Int32Array(batch),
      filled: new Int32Array(batch),
      keys: tensor(new Int32Array(batch * capacity), [batch, capacity]),
      queries: tensor(new Int32Array(batch * queryLength), [batch, queryLength]),
      window: { left: look },
    };
    return this.#given;
  }

  /** @throws InvalidInputError if a query row is followed by a token, and tokens of its window are gone */
  #checkVisible(firsts: Int32Array, queryLength: number): void {
    const { keep, window } = this.#sizes;
    for (let b = 0; b < firsts.length; b++) {
      const [first, length] = [firsts[b] as number, this.lengths[b] as number];
      const low = this.#low[b] as number;
      if (first >= length || low <= Math.max(keep, first - window)) continue;
      const rows = Math.max(0, length - (low === keep ? 0 : low + window));
      throw new InvalidInputError(
        "queryLength",
        `at most ${rows} rows, since earlier ones look back at tokens that are gone: attend to what was appended in parts of at most ${this.#ring - window} tokens`,
        `${queryLength}`,
      );
    }
  }

  /**
   * Gives kept tokens positions that every row of the query has in its window. Tokens that are among the
   * query's own rows keep theirs, since early rows must not see those that come after them.
   *
   * @returns false where there are no such positions, or none may be given, and a mask is needed
   */
  #placeKept(positions: Int32Array, given: GivenPositions): boolean {
    const { firsts, queryLength, ownPositions, window } = given;
    const { keep, capacity } = this.#sizes;
    for (let b = 0; b < firsts.length; b++) {
      const first = firsts[b] as number;
      const from = first + queryLength - 1 - window.left;
      const held = Math.min(keep, this.lengths[b] as number);
      for (let token = 0; token < held && token < from; token++) {
        if (ownPositions || token >= first || first < from) return false;
        positions[b * capacity + token] = first;
      }
    }
    return true;
  }

  /** The keys that each row sees by window and kept tokens; causal is up to the caller. */
  #mask({ firsts, queryLength, window }: GivenPositions) {
    const { keep, capacity } = this.#sizes;
    const batch = firsts.length;
    const data = new Uint8Array(batch * queryLength * capacity);
    let at = 0;
    for (let b = 0; b < batch; b++) {
      const own = this.#positions.subarray(b * capacity, (b + 1) * capacity);
      for (let i = 0; i < queryLength; i++) {
        const from = Math.max(0, (firsts[b] as number) + i - window.left);
        for (const position of own) {
          data[at++] = position >= from || (position >= 0 && position < keep) ? 1 : 0;
        }
      }
    }
    return tensor(data, [batch, 1, queryLength, capacity], { dtype: "bool" });
  }

  #rowOf(token: number): number {
    const { keep } = this.#sizes;
    return token < keep ? token : keep + ((token - keep) % this.#ring);
  }

  used(): readonly { readonly entry: number; readonly rows: number }[] {
    const { capacity } = this.#sizes;
    return Array.from(this.lengths, (length, entry) => ({
      entry,
      rows: Math.min(length, capacity),
    }));
  }

  save(): Readonly<Record<string, Int32Array>> {
    return { lengths: this.lengths.slice(), first: this.#low.slice() };
  }

  restore(saved: Readonly<Record<string, Int32Array | undefined>>): void {
    const { keep, capacity, batch } = this.#sizes;
    const lengths = savedIntegers("lengths", saved.lengths, batch, [0, mostTokens]);
    const lows = savedIntegers("first", saved.first, batch, [keep, mostTokens]);
    for (let b = 0; b < batch; b++) {
      const [length, low] = [lengths[b] as number, lows[b] as number];
      const least = Math.max(keep, length - this.#ring);
      if (low < least || low > Math.max(keep, length)) {
        throw new InvalidInputError("first", `from ${least} to ${length}`, `${low}`);
      }
      for (let token = 0; token < length; token++) {
        if (token >= keep && token < low) token = low;
        if (token < length) this.#positions[b * capacity + this.#rowOf(token)] = token;
      }
    }
    this.lengths.set(lengths);
    this.#low.set(lows);
  }
}
