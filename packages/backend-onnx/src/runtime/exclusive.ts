/** Who may use a runtime: one at a time, in the order in which they asked. */
export class Turns {
  #taken = false;
  readonly #waiting: (() => void)[] = [];

  /**
   * Asks for a turn, which lasts until `leave`.
   *
   * @returns what to wait for; null where it is one's turn at once
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

/** Two backends may share a runtime, since it is a module: so do their turns. */
export function turnsOf(runtime: object): Turns {
  let known = turns.get(runtime);
  if (!known) {
    known = new Turns();
    turns.set(runtime, known);
  }
  return known;
}

/** Does something in a turn of its own. */
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
