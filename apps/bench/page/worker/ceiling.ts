import type { ThreadCeiling } from "../../src/ceiling/ceiling.js";
import { measureThreads, type ThreadStart } from "../../src/ceiling/threads.js";
import type { CeilingReport } from "../../src/report/report.js";

/** As many threads as asked for, where memory can be shared; one elsewhere. */
export function measureCeiling(threads: number): Promise<CeilingReport> {
  return measureThreads(globalThis.crossOriginIsolated ? threads : 1, startThread);
}

function startThread(start: ThreadStart): Promise<ThreadCeiling> {
  const worker = new Worker(new URL("./ceiling.worker.ts", import.meta.url), { type: "module" });
  return new Promise<ThreadCeiling>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<ThreadCeiling>) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(`a thread of the ceiling: ${message}`));
    worker.postMessage(start);
  }).finally(() => worker.terminate());
}
