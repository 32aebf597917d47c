import { InvalidInputError } from "@heed/core";
import {
  type CacheState,
  type Chunk,
  GivenIntegers,
  type PlaceInputs,
  type Placement,
  queryOffsetOf,
  SlotRoom,
  savedIntegers,
  taken,
} from "./state.js";

const noCopies: Placement["copies"] = [];

/** Token t of an entry is in its row t. */
export class StaticState implements CacheState {
  readonly lengths: Int32Array;
  readonly #capacity: number;
  readonly #room = new SlotRoom();
  readonly #given = new GivenIntegers();

  constructor(batch: number, capacity: number) {
    this.lengths = new Int32Array(batch);
    this.#capacity = capacity;
  }

  place(counts: Int32Array, n: number): Placement {
    const { lengths } = this;
    for (let b = 0; b < counts.length; b++) {
      const free = this.#capacity - (lengths[b] as number);
      if ((counts[b] as number) > free) {
        throw new InvalidInputError(
          "key",
          `at most ${free} more tokens in batch entry ${b}, whose capacity is ${this.#capacity}`,
          `${counts[b]}`,
        );
      }
    }
    const slots = this.#room.take(counts.length * n);
    for (let b = 0; b < counts.length; b++) {
      const length = lengths[b] as number;
      const count = counts[b] as number;
      for (let i = 0; i < count; i++) slots[b * n + i] = length + i;
    }
    return { slots, counts, n, copies: noCopies };
  }

  commit({ counts }: Placement): void {
    for (let b = 0; b < counts.length; b++) {
      this.lengths[b] = (this.lengths[b] as number) + (counts[b] as number);
    }
  }

  abandon(): void {
    // Rows past the lengths may hold anything.
  }

  truncate(lengths: Int32Array): void {
    this.lengths.set(lengths);
  }

  rewindable(): readonly number[] {
    return Array.from(this.lengths);
  }

  reorder(indices: Int32Array): void {
    this.lengths.set(taken(this.lengths, indices));
  }

  fork(): StaticState {
    const fork = new StaticState(this.lengths.length, this.#capacity);
    fork.lengths.set(this.lengths);
    return fork;
  }

  clear(): void {
    this.lengths.fill(0);
  }

  inputs(_queryLength: number, chunk: Chunk | null): PlaceInputs {
    return { kvLengths: this.#given.give(this.lengths), queryOffset: queryOffsetOf(chunk) };
  }

  used(): readonly { readonly entry: number; readonly rows: number }[] {
    return Array.from(this.lengths, (rows, entry) => ({ entry, rows }));
  }

  save(): Readonly<Record<string, Int32Array>> {
    return { lengths: this.lengths.slice() };
  }

  restore({ lengths }: Readonly<Record<string, Int32Array | undefined>>): void {
    const batch = this.lengths.length;
    this.lengths.set(savedIntegers("lengths", lengths, batch, [0, this.#capacity]));
  }
}
