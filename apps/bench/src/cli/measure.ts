import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { backendByName } from "../contenders/backends.js";
import { runBenchmark } from "../measure/run-benchmark.js";
import type { OpenedModel } from "../model/open.js";
import type { ModelRequest } from "../model/request.js";
import { peerByName } from "../peers/peers.js";
import type { BenchReport } from "../report/report.js";
import { type RunRequest, workloadsOf } from "../request.js";
import { measureCeiling } from "./ceiling.js";
import { nodeEnvironment } from "./environment.js";
import { processMemoryMeter } from "./memory-meter.js";
import { createProgress } from "./progress.js";

/** Measures in this process, telling stderr how far it is. */
export async function measureHere(request: RunRequest, signal: AbortSignal): Promise<BenchReport> {
  const { dtype, threads, budget, samples, timeWrong, tune } = request;
  const model = request.model && (await openModelHere(request.model, threads));
  const workloads = [...workloadsOf(request), ...(model?.workloads ?? [])];
  for (const sentence of model?.left ?? []) console.error(sentence);
  const ceiling = request.ceiling ? await measureCeiling(threads) : undefined;
  const progress = createProgress(workloads, process.stderr);
  try {
    return await runBenchmark({
      workloads,
      contenders: [
        ...(model ? [model.contender] : []),
        ...request.backends.map((name) => backendByName(name, { threads, tune })),
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
    await model?.dispose();
  }
}

/** Imported only for a model, since splicing and onnxruntime are. Weights outside the file are in its folder. */
async function openModelHere(model: ModelRequest, threads: number): Promise<OpenedModel> {
  const [{ openModel }, { readWholeFile }] = await Promise.all([
    import("../model/open.js"),
    import("@heed/splice/files"),
  ]);
  return openModel(model, {
    threads,
    read: (file) => readFile(file),
    externalData: (path) => readWholeFile(join(dirname(model.file), path)),
  });
}
