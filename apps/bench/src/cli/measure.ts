import { backendByName } from "../contenders/backends.js";
import { runBenchmark } from "../measure/run-benchmark.js";
import { peerByName } from "../peers/peers.js";
import type { BenchReport } from "../report/report.js";
import { type RunRequest, workloadsOf } from "../request.js";
import { measureCeiling } from "./ceiling.js";
import { nodeEnvironment } from "./environment.js";
import { processMemoryMeter } from "./memory-meter.js";
import { createProgress } from "./progress.js";

/** Measures in this process, telling stderr how far it is. */
export async function measureHere(request: RunRequest, signal: AbortSignal): Promise<BenchReport> {
  const { dtype, threads, budget, samples, timeWrong } = request;
  const workloads = workloadsOf(request);
  const ceiling = request.ceiling ? await measureCeiling(threads) : undefined;
  const progress = createProgress(workloads, process.stderr);
  try {
    return await runBenchmark({
      workloads,
      contenders: [
        ...request.backends.map((name) => backendByName(name, { threads })),
        ...request.peers.map((name) => peerByName(name, { threads })),
      ],
      environment: { ...nodeEnvironment(), ...(ceiling && { ceiling }) },
      dtype,
      threads,
      budget,
      samples,
      timeWrong,
      memory: processMemoryMeter(),
      signal,
      onProgress: (event) => progress.update(event),
    });
  } finally {
    progress.stop();
  }
}
