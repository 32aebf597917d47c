import { addToOwnReport, announceOutcome, announceProgress } from "@heed/page";
import { signal } from "@preact/signals";
import type { ProgressEvent } from "../../src/measure/run-benchmark.js";
import { type TimeLeft, timeLeft } from "../../src/measure/time-left.js";
import { devicePart } from "../../src/report/device-part.js";
import { type BenchReport, type Environment, reportVersion } from "../../src/report/report.js";
import { type RunRequest, requestToParams, workloadsOf } from "../../src/request.js";
import type { FromWorker, ToWorker } from "../worker/protocol.js";
import { arrivals } from "./results.js";

/** A run as the page shows it. */
export type RunState =
  | { readonly status: "idle" }
  | {
      readonly status: "running";
      readonly cancelling: boolean;
      /** From 0 to 1. */
      readonly share: number;
      readonly case: string;
      readonly step: string;
      /** Seconds; null until there is something to go by. */
      readonly secondsLeft: number | null;
    }
  | { readonly status: "failed"; readonly message: string };

export const runState = signal<RunState>({ status: "idle" });

/** How long a call under way may go on after it was asked to stop. */
const patience = 1_500;

/**
 * Starts measuring in a worker.
 *
 * @param show gets the report so far, after each case and at the end
 * @returns a function that cancels it: politely at first, so that the case under way can end
 */
export function startRun(
  request: RunRequest,
  environment: Environment,
  show: (report: BenchReport) => void,
): () => void {
  const worker = new Worker(new URL("../worker/bench.worker.ts", import.meta.url), {
    type: "module",
  });
  const tell = (message: ToWorker) => worker.postMessage(message);
  let progress = timeLeft(workloadsOf(request));
  let report = emptyReport(request, environment);
  let patienceTimer: ReturnType<typeof setTimeout> | undefined;
  const end = (state: RunState) => {
    clearTimeout(patienceTimer);
    worker.terminate();
    runState.value = state;
  };
  const fail = (message: string) => {
    end({ status: "failed", message });
    announceOutcome({ problem: message });
  };
  runState.value = {
    status: "running",
    cancelling: false,
    share: 0,
    case: "",
    step: "loading",
    secondsLeft: null,
  };
  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    switch (data.type) {
      case "cases":
        progress = timeLeft(data.flops.map((flops) => ({ flops })));
        break;
      case "ceiling":
        report = { ...report, environments: [data.environment] };
        break;
      case "event":
        report = withEvent(report, data.event);
        if (data.event.type === "case") {
          show({ ...report, interrupted: true });
          announceProgress(data.event.report.id);
        }
        advance(progress, data.event);
        break;
      case "done":
        show(data.report);
        addToOwnReport(devicePart(data.report));
        end({ status: "idle" });
        arrivals.value++;
        announceOutcome({ result: data.report });
        break;
      case "failed":
        fail(data.message);
        break;
    }
  };
  worker.onerror = ({ message }) => fail(message || "the worker failed");
  tell({
    type: "run",
    params: requestToParams(request).toString(),
    environment,
    address: location.href,
  });
  return () => {
    if (runState.value.status !== "running" || runState.value.cancelling) return;
    runState.value = { ...runState.value, cancelling: true };
    tell({ type: "cancel" });
    patienceTimer = setTimeout(() => end({ status: "idle" }), patience);
  };
}

function emptyReport(request: RunRequest, environment: Environment): BenchReport {
  const { dtype, threads, budget, samples } = request;
  return {
    format: "heed-bench",
    version: reportVersion,
    environments: [environment],
    options: { dtype, threads, budget, samples },
    contenders: [],
    cases: [],
  };
}

function withEvent(report: BenchReport, event: ProgressEvent): BenchReport {
  if (event.type === "loaded") return { ...report, contenders: event.contenders };
  if (event.type === "case") return { ...report, cases: [...report.cases, event.report] };
  return report;
}

function advance(progress: TimeLeft, event: ProgressEvent): void {
  if (runState.value.status !== "running") return;
  if (event.type === "case") progress.done(event.case);
  const now = event.type === "step" ? { case: event.id, step: event.step } : {};
  const { share, secondsLeft } = progress.estimate();
  runState.value = { ...runState.value, ...now, share, secondsLeft };
}
