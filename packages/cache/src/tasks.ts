/** @returns undefined if it is done by then */
type Task<Call> = (call: Call) => Promise<void> | undefined;

/**
 * Does tasks one after another, in the order in which they are given. A task under way is followed by callbacks that
 * are made once: an async function would take several times as many bytes of heap for each token of a decoder.
 */
export class Tasks {
  readonly #failed: (error: unknown) => void;
  #busy = false;
  /** Tasks that begin when the one under way ends, in order. */
  readonly #waiting: (() => void)[] = [];

  /** @param failed is told of the error of a task, before whoever gave the task is */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  /** Whether no task is under way. */
  get idle(): boolean {
    return !this.#busy;
  }

  /**
   * Does a task after those under way, at once if there are none. The promise settles after it has ended here, too.
   *
   * @param call what the task gets: without it, each would be a function of its own
   */
  run(task: Task<undefined>): Promise<void>;
  run<Call>(task: Task<Call>, call: Call): Promise<void>;
  run<Call>(task: Task<Call>, call?: Call): Promise<void> {
    return this.#busy ? this.#later(task, call as Call) : this.#begin(task, call as Call);
  }

  /** Apart from {@link run}, whose every call would make room for what a function holds. */
  #later<Call>(task: Task<Call>, call: Call): Promise<void> {
    return this.#turn().then(() => this.#begin(task, call));
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  #begin<Call>(task: Task<Call>, call: Call): Promise<void> {
    this.#busy = true;
    try {
      const done = task(call);
      if (done) return done.then(this.#end, this.#fail);
    } catch (error) {
      this.#failed(error);
      this.#end();
      return Promise.reject(error);
    }
    this.#end();
    return Promise.resolve();
  }

  readonly #end = (): void => {
    const next = this.#waiting.shift();
    if (next === undefined) this.#busy = false;
    else next();
  };

  readonly #fail = (error: unknown): never => {
    this.#failed(error);
    this.#end();
    throw error;
  };
}
