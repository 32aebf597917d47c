import type { AbortSignalLike } from "../operation/abort.js";

/** Callers that wait for a promise, by promise. */
const waiting = new WeakMap<Promise<unknown>, Set<() => void>>();

/**
 * Waits for a promise that many wait for, such as a backend's loading. A caller whose signal is aborted is not held by the
 * promise any more, which a `then` of its own would be for as long as the promise does not settle.
 *
 * @param signal left out where nobody can stop waiting
 * @throws the signal's reason (rejects), or whatever the promise rejects with
 */
export function untilAborted<T>(
  shared: Promise<T>,
  signal: AbortSignalLike | undefined,
): Promise<T> {
  if (signal === undefined) return shared;
  if (signal.aborted) return Promise.reject(signal.reason);
  const callers = waiting.get(shared) ?? gather(shared);
  return new Promise<T>((resolve, reject) => {
    const settle = (): void => {
      signal.removeEventListener("abort", stop);
      resolve(shared);
    };
    const stop = (): void => {
      signal.removeEventListener("abort", stop);
      callers.delete(settle);
      reject(signal.reason);
    };
    signal.addEventListener("abort", stop);
    callers.add(settle);
  });
}

function gather(shared: Promise<unknown>): Set<() => void> {
  const callers = new Set<() => void>();
  waiting.set(shared, callers);
  const wake = (): void => {
    // Later callers wait for a promise that is settled.
    waiting.delete(shared);
    for (const settle of callers) settle();
  };
  shared.then(wake, wake);
  return callers;
}
