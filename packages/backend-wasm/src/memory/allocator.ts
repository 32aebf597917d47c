/** Free space `start ≤ address < end`. */
interface Gap {
  start: number;
  end: number;
}

/** Size and address of every allocation are multiples of so many bytes: a cache line. */
export const alignment = 64;

/** Entries of free addresses that are kept, beyond as many as are taken: a loop of calls takes the same ones again. */
const mostLeft = 64;

/**
 * Hands out parts of one address space: first fit, and neighbours that are free are joined. Knows
 * nothing of the memory itself. Allocations are few and large (tensors), so lists are searched.
 */
export class Allocator {
  /** In order of address, never touching one another. */
  readonly #gaps: Gap[] = [];
  /** Address to size; 0 for one that is free: a map that entries leave makes itself anew every few calls. */
  readonly #taken = new Map<number, number>();
  /** Entries of {@link #taken} whose size is 0. */
  #left = 0;
  #end: number;
  #used = 0;

  /** @param start where the address space begins; a multiple of {@link alignment}, not 0 */
  constructor(start: number) {
    this.#end = start;
  }

  /** Bytes handed out. */
  get used(): number {
    return this.#used;
  }

  /** End of the address space. */
  get end(): number {
    return this.#end;
  }

  /** Extends the address space up to `end`. */
  extend(end: number): void {
    if (end <= this.#end) return;
    this.#release({ start: this.#end, end });
    this.#end = end;
  }

  /** End that the address space needs for an allocation that fails now to succeed. */
  endFor(bytes: number): number {
    const last = this.#gaps.at(-1);
    const start = last && last.end === this.#end ? last.start : this.#end;
    return start + roundUp(bytes);
  }

  /** @returns an address, or null where no gap is large enough */
  allocate(bytes: number): number | null {
    const size = roundUp(bytes);
    const index = this.#gaps.findIndex((gap) => gap.end - gap.start >= size);
    const gap = this.#gaps[index];
    if (gap === undefined) return null;
    const address = gap.start;
    gap.start += size;
    if (gap.start === gap.end) this.#remove(index);
    if (this.#taken.get(address) === 0) this.#left -= 1;
    this.#taken.set(address, size);
    this.#used += size;
    return address;
  }

  /** Frees an address that `allocate` returned. */
  free(address: number): void {
    const size = this.#taken.get(address) ?? 0;
    if (size === 0) throw new RangeError(`${address} is not allocated`);
    this.#taken.set(address, 0);
    this.#left += 1;
    if (this.#left > mostLeft + this.#taken.size / 2) this.#forget();
    this.#used -= size;
    this.#release({ start: address, end: address + size });
  }

  /** Leaves out the entries of what is free. */
  #forget(): void {
    for (const [address, size] of this.#taken) if (size === 0) this.#taken.delete(address);
    this.#left = 0;
  }

  #release(freed: Gap): void {
    let index = this.#gaps.findIndex((gap) => gap.start > freed.start);
    if (index < 0) index = this.#gaps.length;
    const gaps = this.#gaps;
    gaps.push(freed);
    // Moved by hand, here and in #remove: splice makes an array for each call of a loop.
    for (let i = gaps.length - 1; i > index; i--) gaps[i] = gaps[i - 1] as Gap;
    gaps[index] = freed;
    this.#joinWithNext(index);
    if (index > 0) this.#joinWithNext(index - 1);
  }

  #joinWithNext(index: number): void {
    const gap = this.#gaps[index] as Gap;
    const next = this.#gaps[index + 1];
    if (next === undefined || gap.end !== next.start) return;
    gap.end = next.end;
    this.#remove(index + 1);
  }

  #remove(index: number): void {
    const gaps = this.#gaps;
    for (let i = index + 1; i < gaps.length; i++) gaps[i - 1] = gaps[i] as Gap;
    gaps.pop();
  }
}

/** Size of an allocation; never 0, so that two allocations of nothing have addresses of their own. */
function roundUp(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / alignment)) * alignment;
}
