import type { SupportReason } from "../errors.js";
import type { Problem } from "../operation/problem.js";

/** The detail that listeners of an attention's events get, by the event's name. */
export interface AttentionEvents {
  /** A backend runs a problem for the first time, or another one from now on. */
  readonly choice: {
    readonly problem: Problem;
    readonly backend: string;
    /** Why this one, in a sentence. */
    readonly reason: string;
  };
  /** A call runs on a backend although another comes before it, which refused, failed or is unavailable. */
  readonly fallback: {
    readonly problem: Problem;
    /** The backend that was passed over. */
    readonly from: string;
    readonly to: string;
    readonly reasons: readonly SupportReason[];
  };
  /** A backend is given up: its device is gone, or it failed call after call. It will be loaded again. */
  readonly lost: {
    readonly backend: string;
    /** The error that showed it. */
    readonly error: unknown;
    /** Milliseconds until it may be loaded again. */
    readonly retryAfter: number;
  };
  /** A backend that was lost is loaded again, and tested. */
  readonly recovered: { readonly backend: string };
}

/** Listeners by event. */
export class Listeners {
  readonly #of = new Map<keyof AttentionEvents, Set<(detail: never) => void>>();
  readonly #onFailure: (thrown: unknown) => void;

  /** @param onFailure gets whatever a listener throws: no call may fail for it */
  constructor(onFailure: (thrown: unknown) => void) {
    this.#onFailure = onFailure;
  }

  /** @returns a function that removes the listener */
  add<E extends keyof AttentionEvents>(
    event: E,
    listener: (detail: AttentionEvents[E]) => void,
  ): () => void {
    // A function of its own, so that a listener that is added twice is called and removed twice.
    const entry = (detail: AttentionEvents[E]): void => listener(detail);
    let listeners = this.#of.get(event);
    if (listeners === undefined) {
      listeners = new Set();
      this.#of.set(event, listeners);
    }
    listeners.add(entry);
    return () => listeners.delete(entry);
  }

  tell<E extends keyof AttentionEvents>(event: E, detail: AttentionEvents[E]): void {
    for (const listener of [...(this.#of.get(event) ?? [])]) {
      try {
        (listener as (detail: AttentionEvents[E]) => void)(detail);
      } catch (thrown) {
        this.#onFailure(thrown);
      }
    }
  }
}

export const eventNames: readonly (keyof AttentionEvents)[] = [
  "choice",
  "fallback",
  "lost",
  "recovered",
];
