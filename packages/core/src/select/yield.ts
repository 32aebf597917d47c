/**
 * Turns of the event loop for callers that await one call after the other. A promise that is resolved
 * already continues before any timer, message or frame, so that a loop of awaited calls on a backend
 * that computes at once would keep a page from drawing for as long as it runs.
 */
import { nextTurn } from "../operation/turn.js";

/** Milliseconds for which awaited calls may keep the event loop from everything else. */
const longestTurn = 10;

interface Turn {
  /** When the present turn is known to have begun, in ms of `performance.now`. */
  readonly since: number;
  /** Resolves in a later turn. */
  readonly over: Promise<void>;
}

/** The present turn, from the first call in it; null once the event loop has gone on. */
let turn: Turn | null = null;

/** Notes that a call begins. Costs a callback for each turn of the event loop that has any calls. */
export function beginCall(): void {
  if (turn !== null) return;
  const over = new Promise<void>((resolve) => {
    nextTurn(() => {
      turn = null;
      resolve();
    });
  });
  turn = { since: performance.now(), over };
}

/**
 * The promise to wait for before a call ends, so that others get their turn; null if the event loop
 * has gone on within the last 10 ms.
 */
export function turnToAwait(): Promise<void> | null {
  return turn !== null && performance.now() - turn.since > longestTurn ? turn.over : null;
}
