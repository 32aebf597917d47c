type Schedule = (run: () => void) => void;

/**
 * Calls a function in a later turn of the event loop: after all promises that are resolved already, before the
 * next call's data from outside. Node, Deno and Bun have setImmediate; a message is the fastest turn of a browser
 * that lets it draw.
 */
export const nextTurn: Schedule = chooseSchedule();

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
