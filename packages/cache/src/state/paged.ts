import { type HostTensor, InvalidInputError, tensor } from "@heed/core";
import type { PagePool } from "./pool.js";
import {
  type CacheState,
  type Chunk,
  GivenIntegers,
  type PageCopy,
  type PlaceInputs,
  type Placement,
  queryOffsetOf,
  SlotRoom,
  savedIntegers,
  taken,
} from "./state.js";

/** A page that a placement gives to an entry, in the place `index` of its table. */
interface NewPage {
  readonly entry: number;
  readonly index: number;
  readonly page: number;
}

interface PagedPlacement extends Placement {
  readonly pages: readonly NewPage[];
}

const noCopies: Placement["copies"] = [];
const noPages: PagedPlacement["pages"] = [];

/**
 * Token t of an entry is in row t mod size of the page that place ⌊t / size⌋ of the entry's table names
 * (PagedAttention, Kwon et al., 2023, arXiv:2309.06180). Tables, of batch entries and of forks, share
 * pages; whoever writes into a page that others name writes into a copy of it.
 */
export class PagedState implements CacheState {
  readonly lengths: Int32Array;
  readonly pool: PagePool;
  /** Places in the table of one entry. */
  readonly #perSequence: number;
  readonly #maxLength: number;
  readonly #room = new SlotRoom();
  readonly #lengths = new GivenIntegers();
  /** `[batch, perSequence]`; −1 past an entry's pages. */
  #table: Int32Array;
  /** The table as calls get it; null once it has changed. Most tokens of a decoder need no new page. */
  #given: HostTensor<"int32"> | null = null;

  /** @param maxLength most tokens of an entry */
  constructor(batch: number, maxLength: number, pool: PagePool) {
    this.lengths = new Int32Array(batch);
    this.pool = pool;
    this.#maxLength = maxLength;
    this.#perSequence = Math.ceil(maxLength / pool.size);
    this.#table = new Int32Array(batch * this.#perSequence).fill(-1);
  }

  place(counts: Int32Array, n: number): PagedPlacement {
    return this.#placeInLast(counts, n) ?? this.#placeAnywhere(counts, n);
  }

  /** The rows of tokens that all go to the last pages of their entries, as most of a decoder do; otherwise null. */
  #placeInLast(counts: Int32Array, n: number): PagedPlacement | null {
    const { size } = this.pool;
    const slots = this.#room.take(counts.length * n);
    for (let b = 0; b < counts.length; b++) {
      const length = this.lengths[b] as number;
      const count = counts[b] as number;
      if (count === 0) continue;
      const row = length % size;
      if (row === 0 || row + count > size || length + count > this.#maxLength) return null;
      const page = this.#table[this.#at(b, Math.floor(length / size))] as number;
      if (this.pool.users(page) > 1) return null;
      for (let i = 0; i < count; i++) slots[b * n + i] = page * size + row + i;
    }
    return { slots, counts, n, copies: noCopies, pages: noPages };
  }

  #placeAnywhere(counts: Int32Array, n: number): PagedPlacement {
    const plan = this.#plan(counts);
    const { size } = this.pool;
    const pages = plan.places.map(({ entry, index }) => ({ entry, index, page: this.pool.take() }));
    // Pages of the entries with the new ones in place; few entries have any.
    const found = new Map(pages.map(({ entry, index, page }) => [this.#at(entry, index), page]));
    const slots = this.#room.take(counts.length * n);
    for (let b = 0; b < counts.length; b++) {
      const [length, count] = [this.lengths[b] as number, counts[b] as number];
      for (let i = 0; i < count; i++) {
        const at = this.#at(b, Math.floor((length + i) / size));
        const page = found.get(at) ?? (this.#table[at] as number);
        slots[b * n + i] = page * size + ((length + i) % size);
      }
    }
    const copies = plan.copied.map(({ entry, index, rows }): PageCopy => {
      const at = this.#at(entry, index);
      return { from: this.#table[at] as number, to: found.get(at) as number, rows };
    });
    return { slots, counts, n, copies, pages };
  }

  /** Places of tables that need a new page, and those among them whose page is copied. Takes nothing. */
  #plan(counts: Int32Array) {
    const { pool, lengths } = this;
    const places: { readonly entry: number; readonly index: number }[] = [];
    const copied: { readonly entry: number; readonly index: number; readonly rows: number }[] = [];
    /** Tables that leave a page for a copy of it. */
    const leaving = new Map<number, number>();
    for (let b = 0; b < counts.length; b++) {
      const [length, count] = [lengths[b] as number, counts[b] as number];
      if (count === 0) continue;
      if (length + count > this.#maxLength) {
        const room = `at most ${this.#maxLength - length} more tokens in batch entry ${b}`;
        throw new InvalidInputError("key", `${room}, of ${this.#maxLength} in all`, `${count}`);
      }
      const rows = length % pool.size;
      const first = Math.ceil(length / pool.size);
      if (rows > 0) {
        const page = this.#table[this.#at(b, first - 1)] as number;
        const left = leaving.get(page) ?? 0;
        if (pool.users(page) - left > 1) {
          leaving.set(page, left + 1);
          places.push({ entry: b, index: first - 1 });
          copied.push({ entry: b, index: first - 1, rows });
        }
      }
      const end = Math.ceil((length + count) / pool.size);
      for (let index = first; index < end; index++) places.push({ entry: b, index });
    }
    if (places.length > pool.free) {
      throw new InvalidInputError(
        "key",
        `tokens for the ${pool.free} free pages of ${pool.size}, of ${pool.count} in the pool`,
        `tokens that need ${places.length}`,
      );
    }
    return { places, copied };
  }

  commit(placement: Placement): void {
    const { pages, counts } = placement as PagedPlacement;
    for (const { entry, index, page } of pages) {
      const at = this.#at(entry, index);
      const before = this.#table[at] as number;
      if (before !== -1) this.pool.leave(before);
      this.#table[at] = page;
      this.#given = null;
    }
    for (let b = 0; b < counts.length; b++) {
      this.lengths[b] = (this.lengths[b] as number) + (counts[b] as number);
    }
  }

  abandon(placement: Placement): void {
    const { pages } = placement as PagedPlacement;
    for (let i = pages.length - 1; i >= 0; i--) this.pool.leave((pages[i] as NewPage).page);
  }

  truncate(lengths: Int32Array): void {
    for (let b = 0; b < lengths.length; b++) {
      const kept = Math.ceil((lengths[b] as number) / this.pool.size);
      const had = Math.ceil((this.lengths[b] as number) / this.pool.size);
      for (let index = had - 1; index >= kept; index--) {
        const at = this.#at(b, index);
        this.pool.leave(this.#table[at] as number);
        this.#table[at] = -1;
        this.#given = null;
      }
    }
    this.lengths.set(lengths);
  }

  rewindable(): readonly number[] {
    return Array.from(this.lengths);
  }

  reorder(indices: Int32Array): void {
    const table = new Int32Array(this.#table.length);
    for (let b = 0; b < indices.length; b++) {
      table.set(this.#row(indices[b] as number), b * this.#perSequence);
    }
    this.#take(table);
    this.lengths.set(taken(this.lengths, indices));
  }

  fork(): PagedState {
    const fork = new PagedState(this.lengths.length, this.#maxLength, this.pool);
    fork.#take(this.#table.slice());
    fork.lengths.set(this.lengths);
    return fork;
  }

  clear(): void {
    this.truncate(new Int32Array(this.lengths.length));
  }

  inputs(_queryLength: number, chunk: Chunk | null): PlaceInputs {
    this.#given ??= tensor(this.#table.slice(), [this.lengths.length, this.#perSequence]);
    return {
      kvLengths: this.#lengths.give(this.lengths),
      queryOffset: queryOffsetOf(chunk),
      pageTable: this.#given,
    };
  }

  used(): readonly { readonly entry: number; readonly rows: number }[] {
    const { size } = this.pool;
    const rows = new Map<number, number>();
    for (const [at, page] of this.#table.entries()) {
      if (page === -1) continue;
      const entry = Math.floor(at / this.#perSequence);
      const left = (this.lengths[entry] as number) - (at % this.#perSequence) * size;
      rows.set(page, Math.max(rows.get(page) ?? 0, Math.min(size, left)));
    }
    return [...rows].map(([entry, rows]) => ({ entry, rows }));
  }

  /** Pages in the saved table are numbered in the order of {@link used}. */
  save(): Readonly<Record<string, Int32Array>> {
    const numbers = new Map(this.used().map(({ entry }, i) => [entry, i]));
    const table = this.#table.map((page) => numbers.get(page) ?? -1);
    return { lengths: this.lengths.slice(), table };
  }

  restore(saved: Readonly<Record<string, Int32Array | undefined>>): void {
    const batch = this.lengths.length;
    const { count, size } = this.pool;
    const lengths = savedIntegers("lengths", saved.lengths, batch, [0, this.#maxLength]);
    const limits = [-1, count - 1] as const;
    const table = savedIntegers("table", saved.table, batch * this.#perSequence, limits);
    for (const [at, page] of table.entries()) {
      const length = lengths[Math.floor(at / this.#perSequence)] as number;
      if ((at % this.#perSequence) * size < length !== (page !== -1)) {
        throw new InvalidInputError("table", "pages for the lengths, and −1", `${page}`);
      }
    }
    // The pages of an unused pool are taken in order, so that numbers stay.
    const most = table.reduce((most, page) => Math.max(most, page + 1), 0);
    const pages = Array.from({ length: most }, () => this.pool.take());
    this.#take(table);
    for (const page of pages.reverse()) this.pool.leave(page);
    this.lengths.set(lengths);
  }

  /** Replaces the table; pages that both name stay where they are. */
  #take(table: Int32Array): void {
    for (const page of table) if (page !== -1) this.pool.share(page);
    for (const page of this.#table) if (page !== -1) this.pool.leave(page);
    this.#table = table;
    this.#given = null;
  }

  #row(entry: number): Int32Array {
    return this.#table.subarray(entry * this.#perSequence, (entry + 1) * this.#perSequence);
  }

  #at(entry: number, index: number): number {
    return entry * this.#perSequence + index;
  }
}
