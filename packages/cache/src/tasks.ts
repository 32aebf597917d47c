/** Does tasks one after another, in the order in which they are given. */
export class Tasks {
  readonly #failed: (error: unknown) => void;
  /** Ends with the last task under way; null if there is none. */
  #tail: Promise<unknown> | null = null;

  /** @param failed is told of the error of a task that rejects, before whoever gave the task is */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  /** Whether no task is under way. */
  get idle(): boolean {
    return this.#tail === null;
  }

  /**
   * Does a task after those under way, at once if there are none.
   *
   * @param task returns undefined if it is done by then
   */
  run(task: () => Promise<void> | undefined): Promise<void> {
    const done = this.#tail === null ? task() : this.#tail.then(task);
    if (done === undefined) return Promise.resolve();
    let failure: { readonly error: unknown } | null = null;
    const tail: Promise<void> = done.then(
      () => this.#end(tail),
      (error: unknown) => {
        this.#failed(error);
        failure = { error };
        this.#end(tail);
      },
    );
    this.#tail = tail;
    // Whoever awaits the call may go on only after it has ended here, too.
    return tail.then(() => {
      if (failure !== null) throw failure.error;
    });
  }

  /** Does a last thing, which cannot fail, once all tasks have ended: at once if none is under way. */
  finish(last: () => void): void {
    if (this.#tail === null) last();
    else this.#tail = this.#tail.then(last);
  }

  #end(tail: Promise<void>): void {
    if (this.#tail === tail) this.#tail = null;
  }
}
