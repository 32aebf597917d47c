/** A call's place among calls on the same memory. */
export interface CallTurn {
  /** Resolves when the calls that must start before this one have started; null if there are none. */
  readonly ready: Promise<unknown> | null;
  /** Says that the call has started, or will not. */
  end(): void;
}

/**
 * The order of calls on one memory between the moment they are made and that at which they start: a call
 * that updates a tensor in place starts after all earlier calls, and all later ones start after it. Other
 * calls overtake each other.
 */
export class CallOrder {
  /** Starts of the calls that wait. */
  readonly #updates = new Set<Promise<void>>();
  readonly #others = new Set<Promise<void>>();

  /** Whether calls wait to start. */
  get busy(): boolean {
    return this.#updates.size + this.#others.size > 0;
  }

  /** @param updates whether the call writes to tensors that it was given */
  take(updates: boolean): CallTurn {
    const before = updates ? [...this.#updates, ...this.#others] : [...this.#updates];
    let started = (): void => {};
    const start = new Promise<void>((resolve) => {
      started = resolve;
    });
    const own = updates ? this.#updates : this.#others;
    own.add(start);
    return {
      ready: before.length === 0 ? null : Promise.all(before),
      end: () => {
        started();
        own.delete(start);
      },
    };
  }
}
