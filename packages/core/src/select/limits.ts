import { describeValue, InvalidInputError } from "../errors.js";
import type { AbortSignalLike } from "../operation/abort.js";
import { checkNames, reading } from "../options.js";

/** When to stop waiting. */
export interface Limits {
  /** Ends the wait when it is aborted: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignalLike | undefined;
  /** Milliseconds, > 0, after which the promise rejects with a `DOMException` named `"TimeoutError"`. */
  readonly timeout?: number | undefined;
}

/** Longest timeout that timers can count, in milliseconds. */
const longestTimeout = 2 ** 31 - 1;

/** @throws InvalidInputError naming the limit at fault */
export function checkLimits(given: unknown, names: ReadonlySet<string> = limitNames): Limits {
  if (given === undefined) return {};
  checkNames("options", given, names);
  return readLimits(given as Limits);
}

const limitNames: ReadonlySet<string> = new Set(["signal", "timeout"]);
const disposeNames: ReadonlySet<string> = new Set(["timeout"]);

/** Options of an attention's `dispose`. */
export interface DisposeOptions {
  /**
   * Milliseconds, > 0, for which calls under way are waited for; 5,000 if left out. A call that takes longer
   * loses its backend: it rejects, or, where its backend hangs, never settles.
   */
  readonly timeout?: number | undefined;
}

/**
 * Milliseconds for which dispose waits, as timers count them.
 *
 * @throws InvalidInputError naming the option at fault
 */
export function checkPatience(options: unknown): number {
  const { timeout = 5000 } = checkLimits(options, disposeNames);
  return Math.min(timeout, longestTimeout);
}

/** The limits among an object's members, each read once; see {@link checkLimits}. */
export function readLimits(given: Limits): Limits {
  const { signal, timeout } = reading("options", () => ({
    signal: given.signal,
    timeout: given.timeout,
  }));
  const usable = reading(
    "signal",
    () =>
      signal === undefined ||
      (typeof signal?.aborted === "boolean" && typeof signal.addEventListener === "function"),
  );
  if (!usable) throw new InvalidInputError("signal", "an AbortSignal", describeValue(signal));
  if (timeout !== undefined && !(typeof timeout === "number" && timeout > 0)) {
    throw new InvalidInputError("timeout", "a number of milliseconds > 0", describeValue(timeout));
  }
  return { signal, timeout };
}

/**
 * Waits for something no longer than the limits allow. What it waits for goes on by itself.
 *
 * @param start is not called where the signal is aborted already
 * @param abandon gets the promise that nobody waits for any more
 */
export function withLimits<R>(
  { signal, timeout }: Limits,
  start: () => Promise<R>,
  abandon: (late: Promise<R>) => void,
): Promise<R> {
  if (signal?.aborted) return Promise.reject(signal.reason);
  const started = start();
  if (signal === undefined && timeout === undefined) return started;
  return new Promise<R>((resolve, reject) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const settle = (): void => {
      if (timer !== undefined) clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    };
    const stop = (reason: unknown): void => {
      settle();
      reject(reason);
      abandon(started);
    };
    const onAbort = (): void => stop(signal?.reason);
    signal?.addEventListener("abort", onAbort);
    if (timeout !== undefined) {
      timer = setTimeout(
        () => stop(new DOMException(`not done within ${timeout} ms`, "TimeoutError")),
        Math.min(timeout, longestTimeout),
      );
    }
    started.then(
      (result) => {
        settle();
        resolve(result);
      },
      (error: unknown) => {
        settle();
        reject(error);
      },
    );
  });
}
