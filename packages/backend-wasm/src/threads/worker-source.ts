/**
 * Source of a worker. It is text, since a file of its own would have to be found again after bundling, and a
 * function's text is not its own after transpiling. It needs nothing but what it is given: `{ module,
 * memory, thread, control, readyCount, wakeCount, doneCount, failed, quit }`. A worker counts itself as ready
 * in shared memory, where a thread that computes without a pause sees it. A kernel that traps makes the count
 * of items done negative, since the thread that waits for the last one takes no messages.
 */
export const workerSource = `
"use strict";
function work(data, ready) {
  const { module, memory, thread, control, readyCount, wakeCount, doneCount, failed, quit } = data;
  const { share } = new WebAssembly.Instance(module, { env: { memory } }).exports;
  const words = new Int32Array(memory.buffer, control);
  Atomics.add(words, readyCount, 1);
  ready();
  for (;;) {
    const wake = Atomics.load(words, wakeCount);
    if (Atomics.load(words, quit)) return;
    try {
      share(thread);
    } catch (error) {
      Atomics.or(words, doneCount, failed);
      Atomics.notify(words, doneCount);
      throw error;
    }
    Atomics.wait(words, wakeCount, wake);
  }
}
`;

/** The source for Node. */
export const nodeWorkerSource: string = `${workerSource}
const { parentPort, workerData } = require("node:worker_threads");
work(workerData, () => parentPort.postMessage("ready"));
`;

/** The source for browsers, Deno and Bun. */
export const webWorkerSource: string = `${workerSource}
onmessage = ({ data }) => work(data, () => postMessage("ready"));
`;
