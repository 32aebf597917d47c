/**
 * Waits for the two writes of an append, of keys and of values. A cache has one of these for all of its appends, which
 * follow one another.
 */
export class Writes {
  readonly #written: () => void;
  readonly #failed: (error: unknown) => never;
  /** The first error, which may be undefined. */
  #failure: { readonly error: unknown } | null = null;
  /** Settles with the write of the keys, and does not reject; null once it has. */
  #keys: Promise<void> | null = null;

  /**
   * @param written is called once both writes have ended, before whoever waits is told
   * @param failed likewise, if one of them failed; throws its error
   */
  constructor(written: () => void, failed: (error: unknown) => never) {
    this.#written = written;
    this.#failed = failed;
  }

  /** Waits for both writes, also if one fails: none may be under way when an error is told. */
  wait(keys: Promise<unknown>, values: Promise<unknown>): Promise<void> {
    this.#failure = null;
    this.#keys = keys.then(this.#endKeys, this.#failKeys);
    return values.then(this.#end, this.#failValues);
  }

  readonly #endKeys = (): void => {
    this.#keys = null;
  };

  readonly #failKeys = (error: unknown): void => {
    this.#failure ??= { error };
    this.#endKeys();
  };

  readonly #end = (): Promise<void> | undefined => {
    if (this.#keys !== null) return this.#keys.then(this.#end);
    if (this.#failure !== null) this.#failed(this.#failure.error);
    this.#written();
    return undefined;
  };

  readonly #failValues = (error: unknown): Promise<void> | undefined => {
    this.#failure ??= { error };
    return this.#end();
  };
}
