import type { CeilingReport } from "../report/report.js";
import { measureThread, type ThreadCeiling } from "./ceiling.js";

/**
 * Arguments of a measuring thread. The barrier holds two int32: how many threads have arrived, and how
 * often all of them have.
 */
export interface ThreadStart {
  readonly threads: number;
  readonly barrier: SharedArrayBuffer;
}

/**
 * Measures the machine's ceiling at a number of threads: the sum of what they reach together.
 *
 * @param startThread runs {@link measureTogether} on a thread of its own
 */
export async function measureThreads(
  threads: number,
  startThread: (start: ThreadStart) => Promise<ThreadCeiling>,
): Promise<CeilingReport> {
  const each = threads === 1 ? [await measureThread()] : await startAll(threads, startThread);
  const [first] = each as [ThreadCeiling];
  return {
    threads,
    arithmetic: first.arithmetic.map(({ features }, i) => ({
      features,
      gflops: each.reduce((sum, thread) => sum + (thread.arithmetic[i]?.gflops ?? 0), 0),
    })),
    readGBps: each.reduce((sum, thread) => sum + thread.readGBps, 0),
  };
}

function startAll(
  threads: number,
  startThread: (start: ThreadStart) => Promise<ThreadCeiling>,
): Promise<ThreadCeiling[]> {
  const start: ThreadStart = { threads, barrier: new SharedArrayBuffer(8) };
  return Promise.all(Array.from({ length: threads }, () => startThread(start)));
}

const arrived = 0;
const generation = 1;

/** One thread's part, in step with the others. Blocks: for threads, not for pages. */
export function measureTogether({ threads, barrier }: ThreadStart): Promise<ThreadCeiling> {
  const state = new Int32Array(barrier);
  /** Waits until every thread is here, so that all measure at the same time. */
  const wait = () => {
    const current = Atomics.load(state, generation);
    if (Atomics.add(state, arrived, 1) === threads - 1) {
      Atomics.store(state, arrived, 0);
      Atomics.add(state, generation, 1);
      Atomics.notify(state, generation);
    } else {
      Atomics.wait(state, generation, current);
    }
  };
  return measureThread(wait);
}
