// Frames of a page while a call takes seconds, by requestAnimationFrame.
import { createAttention, js, tensor, wasm } from "heed";

const providers = { wasm, js };

/** Frames, and the longest time between two of them, from now until `stop` is called. */
function watchFrames() {
  const start = performance.now();
  let [frames, longest, last, going] = [0, 0, start, true];
  const draw = (now) => {
    if (!going) return;
    frames += 1;
    longest = Math.max(longest, now - last);
    last = now;
    requestAnimationFrame(draw);
  };
  requestAnimationFrame(draw);
  return () => {
    going = false;
    const end = performance.now();
    const seconds = (end - start) / 1000;
    return { perSecond: frames / seconds, longest: Math.max(longest, end - last), seconds };
  };
}

function callOf(length) {
  const shape = [1, 8, length, 64];
  const data = Float32Array.from({ length: 8 * length * 64 }, (_, i) => Math.sin(i));
  const t = tensor(data, shape);
  return { query: t, key: t, value: t };
}

/** @param seconds that the call should take about */
globalThis.measure = async ({ backend, worker, seconds }) => {
  const provider = providers[backend]({ worker });
  const attention = await createAttention({ backends: [provider], store: null });
  const timed = async (call) => {
    const start = performance.now();
    await attention.run(call);
    return (performance.now() - start) / 1000;
  };
  const first = callOf(512);
  await timed(first);
  const length = Math.ceil(512 * Math.sqrt(seconds / (await timed(first))));
  const call = callOf(length);
  await attention.prepare(call);

  let stop = watchFrames();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const idle = stop();
  stop = watchFrames();
  await attention.run(call);
  const during = stop();

  let abort = null;
  if (worker) {
    const controller = new AbortController();
    const running = attention.run(call, { signal: controller.signal }).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 500));
    const start = performance.now();
    controller.abort();
    await running;
    const rejected = performance.now() - start;
    // The next call has a worker of its own, and waits for nothing of the one before.
    await attention.run(first);
    abort = { rejected, next: performance.now() - start };
  }
  await attention.dispose();
  return { length, idle, during, abort };
};
