/** Pages of a pool: which are free, and how many tables name each. */
export class PagePool {
  readonly count: number;
  /** Tokens of a page. */
  readonly size: number;
  readonly #users: Int32Array;
  /** Free pages, the next one last. */
  readonly #free: number[];

  constructor(count: number, size: number) {
    this.count = count;
    this.size = size;
    this.#users = new Int32Array(count);
    this.#free = Array.from({ length: count }, (_, i) => count - 1 - i);
  }

  get free(): number {
    return this.#free.length;
  }

  /** Number of tables that name a page. */
  users(page: number): number {
    return this.#users[page] as number;
  }

  /** Takes a free page, for one table. There must be one. */
  take(): number {
    const page = this.#free.pop() as number;
    this.#users[page] = 1;
    return page;
  }

  /** One more table names a page. */
  share(page: number): void {
    this.#users[page] = this.users(page) + 1;
  }

  /** One table fewer names a page, which is free after the last one. */
  leave(page: number): void {
    const left = this.users(page) - 1;
    this.#users[page] = left;
    if (left === 0) this.#free.push(page);
  }
}
