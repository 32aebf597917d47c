import { type HeedError, isHeedError } from "../errors.js";
import type { Listeners } from "./events.js";
import type { Slot } from "./slot.js";

/** Milliseconds before a lost backend is loaded again; doubled after each attempt that fails. */
const firstWait = 1000;
const longestWait = 60_000;

/** Calls that a backend may fail before it is given up; a lost device is given up at once. */
const failuresAllowed = 3;

/** Whether an error means that the backend failed, and not that the call is wrong or unsupported. */
export function isFailure(error: HeedError): boolean {
  return isHeedError(error, "device-error") || isHeedError(error, "backend-error");
}

interface Lost {
  /** In ms of `performance.now`. */
  readonly since: number;
  wait: number;
}

/**
 * Backends that failed: how often, which are given up, and when those are loaded again. There is no
 * timer: a lost backend is loaded again when a call comes after its wait.
 */
export class Recovery {
  readonly #listeners: Listeners;
  /** Called when a slot's state changed. */
  readonly #onChange: (slot: Slot) => void;
  readonly #failures = new Map<Slot, number>();
  readonly #lost = new Map<Slot, Lost>();
  /** When the next lost backend may be loaded again, in ms of `performance.now`. */
  #nextRetry = Number.POSITIVE_INFINITY;

  constructor(listeners: Listeners, onChange: (slot: Slot) => void) {
    this.#listeners = listeners;
    this.#onChange = onChange;
  }

  /** Notes that a backend failed a call that it had accepted. */
  failed(slot: Slot, error: HeedError): void {
    // Out of memory is about one call, not about the backend.
    if (slot.state !== "ready" || isHeedError(error, "out-of-memory")) return;
    const failures = (this.#failures.get(slot) ?? 0) + 1;
    this.#failures.set(slot, failures);
    const gone = isHeedError(error, "device-lost");
    if (!gone && failures < failuresAllowed) return;
    this.#failures.delete(slot);
    const wait = this.#lost.get(slot)?.wait ?? firstWait;
    const after = gone ? "" : ` after ${failures} failures`;
    const reason = {
      code: "lost",
      message: `given up at ${new Date().toISOString()}${after}: ${error.message}`,
      hint: "it is loaded again when a later call comes",
    };
    slot.lose(reason, error);
    this.#wait(slot, wait);
    this.#onChange(slot);
    this.#listeners.tell("lost", { backend: slot.name, error, retryAfter: wait });
  }

  /** Loads lost backends whose wait is over. Calls need not wait for it. */
  retryDue(): void {
    // Infinite as long as nothing is lost, which saves reading the clock.
    if (this.#nextRetry === Number.POSITIVE_INFINITY || performance.now() < this.#nextRetry) return;
    this.#nextRetry = Number.POSITIVE_INFINITY;
    const now = performance.now();
    for (const [slot, lost] of this.#lost) {
      if (slot.state !== "lost") continue;
      if (lost.since + lost.wait <= now) void this.#retry(slot, lost);
      else this.#nextRetry = Math.min(this.#nextRetry, lost.since + lost.wait);
    }
  }

  async #retry(slot: Slot, { wait }: Lost): Promise<void> {
    await slot.load();
    // The wait is kept for as long as the attention lives: a backend that is lost again and again
    // is tried less and less often.
    this.#wait(slot, Math.min(2 * wait, longestWait));
    if (slot.state !== "ready") return;
    this.#onChange(slot);
    this.#listeners.tell("recovered", { backend: slot.name });
  }

  #wait(slot: Slot, wait: number): void {
    const since = performance.now();
    this.#lost.set(slot, { since, wait });
    if (slot.state === "lost") this.#nextRetry = Math.min(this.#nextRetry, since + wait);
  }
}
