/// <reference lib="webworker" />
import { backendByName } from "../../src/contenders/backends.js";
import { runBenchmark } from "../../src/measure/run-benchmark.js";
import { messageOf } from "../../src/message.js";
import { peerByName } from "../../src/peers/peers.js";
import { requestFromParams, workloadsOf } from "../../src/request.js";
import { tfjsWasm } from "./assets.js";
import { measureCeiling } from "./ceiling.js";
import { workerMemoryMeter } from "./memory.js";
import type { FromWorker, ToWorker } from "./protocol.js";
import { readVector } from "./vectors.js";

/** Measures away from the page, which stays responsive. One run, then the page ends it. */
const cancellation = new AbortController();
const memory = workerMemoryMeter();

addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === "cancel") cancellation.abort();
  else void run(data);
});

async function run({ params, environment }: Extract<ToWorker, { type: "run" }>): Promise<void> {
  try {
    const request = requestFromParams(new URLSearchParams(params));
    const { dtype, threads, budget, samples, timeWrong } = request;
    const ceiling = request.ceiling ? await measureCeiling(threads) : undefined;
    const here = { ...environment, ...(ceiling && { ceiling }) };
    if (ceiling) tell({ type: "ceiling", environment: here });
    const report = await runBenchmark({
      workloads: workloadsOf(request),
      contenders: [
        ...request.backends.map((name) => backendByName(name, { threads })),
        ...request.peers.map((name) => peerByName(name, { threads, tfjsWasm })),
      ],
      environment: here,
      dtype,
      threads,
      budget,
      samples,
      timeWrong,
      memory,
      readVector,
      signal: cancellation.signal,
      onProgress: (event) => tell({ type: "event", event }),
    });
    tell({ type: "done", report });
  } catch (error) {
    tell({ type: "failed", message: messageOf(error) });
  }
}

function tell(message: FromWorker): void {
  postMessage(message);
}
