import { Worker } from "node:worker_threads";
import type { ThreadCeiling } from "../ceiling/ceiling.js";
import { measureThreads, type ThreadStart } from "../ceiling/threads.js";
import type { CeilingReport } from "../report/report.js";

/** Measures the machine's ceiling at a number of threads. */
export function measureCeiling(threads: number): Promise<CeilingReport> {
  return measureThreads(threads, startThread);
}

function startThread(start: ThreadStart): Promise<ThreadCeiling> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./ceiling-worker.js", import.meta.url), {
      workerData: start,
    });
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}
