/** A queue for the use of a runtime: one user at a time, in the order in which they asked. */
export class Turns {
  #taken = false;
  readonly #waiting: (() => void)[] = [];

  /**
   * Asks for a turn, which lasts until `leave`.
   *
   * @returns a promise that resolves when the turn begins; null if it has begun already
   */
  enter(): Promise<void> | null {
    if (this.#taken) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#taken = true;
    return null;
  }

  /** Ends a turn: the next begins. */
  leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#taken = false;
  }
}

const turns = new WeakMap<object, Turns>();

/** The queue of a runtime. A runtime is a module, which several backends may share. */
export function turnsOf(runtime: object): Turns {
  let known = turns.get(runtime);
  if (!known) {
    known = new Turns();
    turns.set(runtime, known);
  }
  return known;
}

/** Runs a function in a turn of its own. */
export async function exclusively<R>(runtime: object, act: () => Promise<R>): Promise<R> {
  const own = turnsOf(runtime);
  const before = own.enter();
  if (before) await before;
  try {
    return await act();
  } finally {
    own.leave();
  }
}
