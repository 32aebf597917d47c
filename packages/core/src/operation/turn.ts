import { describeValue, InvalidInputError } from "../errors.js";

type Schedule = (run: () => void) => void;

/**
 * Calls a function in a later turn of the event loop: after all promises that are resolved already, before the
 * next call's data from outside. Node, Deno and Bun have setImmediate; a message is the fastest turn of a browser
 * that lets it draw.
 *
 * @throws InvalidInputError where `run` is no function
 */
export function nextTurn(run: () => void): void {
  if (typeof run !== "function") {
    throw new InvalidInputError("run", "a function", describeValue(run));
  }
  schedule(run);
}

const schedule: Schedule = chooseSchedule();

function chooseSchedule(): Schedule {
  const { setImmediate } = globalThis as { setImmediate?: Schedule };
  if (typeof setImmediate === "function") return (run) => setImmediate(run);
  if (typeof MessageChannel === "undefined") return (run) => void setTimeout(run, 0);
  let channel: MessageChannel | null = null;
  const waiting: (() => void)[] = [];
  return (run) => {
    if (channel === null) {
      channel = new MessageChannel();
      // A message for each of them.
      channel.port1.onmessage = () => (waiting.shift() as () => void)();
    }
    waiting.push(run);
    channel.port2.postMessage(null);
  };
}
