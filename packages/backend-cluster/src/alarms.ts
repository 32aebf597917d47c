/** A callback that is to be called at a time. */
interface Alarm {
  /** In milliseconds of `performance.now`. */
  readonly at: number;
  readonly ring: () => void;
}

/**
 * Calls back at times, with one timer for all of them: almost every deadline of a message is cancelled after a millisecond,
 * and a timer for each would take more time than reading the answer.
 */
export class Alarms {
  readonly #alarms = new Set<Alarm>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Time of the timer. */
  #at = Number.POSITIVE_INFINITY;

  /**
   * @param at in milliseconds of `performance.now`
   * @returns what {@link cancel} takes
   */
  set(at: number, ring: () => void): object {
    const alarm = { at, ring };
    this.#alarms.add(alarm);
    if (at < this.#at) this.#wind(at);
    return alarm;
  }

  /** Does nothing for an alarm that has rung, or for none. */
  cancel(alarm: object | null): void {
    if (!this.#alarms.delete(alarm as Alarm) || this.#alarms.size > 0) return;
    // A timer that nobody waits for would keep a process from ending. With others, it rings for nothing.
    clearTimeout(this.#timer);
    this.#at = Number.POSITIVE_INFINITY;
  }

  #wind(at: number): void {
    clearTimeout(this.#timer);
    this.#at = at;
    this.#timer = setTimeout(() => this.#ring(), Math.max(0, at - performance.now()));
  }

  #ring(): void {
    this.#at = Number.POSITIVE_INFINITY;
    // Timers may be a little early.
    const now = performance.now() + 1;
    for (const alarm of [...this.#alarms]) {
      if (alarm.at <= now && this.#alarms.delete(alarm)) alarm.ring();
    }
    let next = Number.POSITIVE_INFINITY;
    for (const { at } of this.#alarms) next = Math.min(next, at);
    if (next < this.#at) this.#wind(next);
  }
}
