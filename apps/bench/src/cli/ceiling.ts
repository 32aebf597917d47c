import { Worker } from "node:worker_threads";
import { measureThread, type ThreadCeiling } from "../ceiling/ceiling.js";
import type { CeilingReport } from "../report/report.js";

/** Measures the machine's ceiling at a number of threads: the sum of what they reach together. */
export async function measureCeiling(threads: number): Promise<CeilingReport> {
  const each = threads === 1 ? [await measureThread()] : await measureTogether(threads);
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

function measureTogether(threads: number): Promise<ThreadCeiling[]> {
  const workerData: CeilingWorkerData = { threads, barrier: new SharedArrayBuffer(8) };
  return Promise.all(
    Array.from(
      { length: threads },
      () =>
        new Promise<ThreadCeiling>((resolve, reject) => {
          const worker = new Worker(new URL("./ceiling-worker.js", import.meta.url), {
            workerData,
          });
          worker.once("message", resolve);
          worker.once("error", reject);
        }),
    ),
  );
}

/** What a thread gets; the barrier is two int32: how many have arrived, and how often all have. */
export interface CeilingWorkerData {
  readonly threads: number;
  readonly barrier: SharedArrayBuffer;
}
