/**
 * Turns of the event loop for callers that await one call after the other. A promise that is resolved
 * already continues before any timer, message or frame, so that a loop of awaited calls on a backend
 * that computes at once would keep a page from drawing for as long as it runs.
 */

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

type Schedule = (run: () => void) => void;

/** Node, Deno and Bun have setImmediate; a message is the fastest turn of a browser that lets it draw. */
const nextTurn: Schedule = chooseSchedule();

function chooseSchedule(): Schedule {
  const { setImmediate } = globalThis as { setImmediate?: Schedule };
  if (typeof setImmediate === "function") return (run) => setImmediate(run);
  if (typeof MessageChannel === "undefined") return (run) => void setTimeout(run, 0);
  let channel: MessageChannel | null = null;
  const waiting: (() => void)[] = [];
  return (run) => {
    if (channel === null) {
      channel = new MessageChannel();
      channel.port1.onmessage = () => waiting.shift()?.();
    }
    waiting.push(run);
    channel.port2.postMessage(null);
  };
}
