/// <reference lib="webworker" />
import { backendByName } from "../../src/contenders/backends.js";
import { runBenchmark } from "../../src/measure/run-benchmark.js";
import { messageOf } from "../../src/message.js";
import type { OpenedModel } from "../../src/model/open.js";
import { type ModelRequest, nameIn } from "../../src/model/request.js";
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
let pageAddress = "";

addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === "cancel") cancellation.abort();
  else void run(data);
});

async function run({
  params,
  environment,
  address,
}: Extract<ToWorker, { type: "run" }>): Promise<void> {
  try {
    pageAddress = address;
    const request = requestFromParams(new URLSearchParams(params));
    const { dtype, threads, budget, samples, timeWrong, tune } = request;
    const model = request.model && (await openModelHere(request.model, threads));
    const workloads = [...workloadsOf(request), ...(model?.workloads ?? [])];
    tell({ type: "cases", flops: workloads.map(({ flops }) => flops) });
    const ceiling = request.ceiling ? await measureCeiling(threads) : undefined;
    const notes = [...(environment.notes ?? []), ...(model?.left ?? [])];
    const here = { ...environment, notes, ...(ceiling && { ceiling }) };
    if (ceiling) tell({ type: "ceiling", environment: here });
    const report = await runBenchmark({
      workloads,
      contenders: [
        ...(model ? [model.contender] : []),
        ...request.backends.map((name) => backendByName(name, { threads, tune })),
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

/**
 * Reads a model: a file that was dropped on the page, or one beside it. Nothing of it leaves the page. Weights outside
 * the model are in files that were dropped as well, by their names, or beside its address.
 */
async function openModelHere(model: ModelRequest, threads: number): Promise<OpenedModel> {
  const { openModel } = await import("../../src/model/open.js");
  const read = async (address: string): Promise<Uint8Array> => {
    // The page's address, and not the worker's script.
    const response = await fetch(new URL(address, pageAddress));
    if (!response.ok) throw new Error(`${address}: ${response.status} ${response.statusText}`);
    return new Uint8Array(await response.arrayBuffer());
  };
  const externalData = (path: string): Promise<Uint8Array> => {
    const opened = model.data[nameIn(path)];
    if (opened !== undefined) return read(opened);
    if (!model.file.startsWith("blob:"))
      return read(new URL(path, new URL(model.file, pageAddress)).href);
    throw new Error(`weights of ${model.name} are in the file ${path}: open it as well`);
  };
  return openModel(model, { threads, read, externalData });
}

function tell(message: FromWorker): void {
  postMessage(message);
}
