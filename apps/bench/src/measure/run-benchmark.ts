import type { ReadVector } from "@heed/conformance";
import { BackendUnavailableError, type FloatDType } from "@heed/core";
import type { Contender } from "../contenders/contender.js";
import { messageOf } from "../message.js";
import type { BenchReport, CaseReport, ContenderReport, Environment } from "../report/report.js";
import { reportVersion } from "../report/report.js";
import type { Workload } from "../workloads/workload.js";
import type { ReadyContender } from "./check.js";
import type { MemoryMeter } from "./memory.js";
import { runCase } from "./run-case.js";
import { clockTick } from "./tick.js";
import { createYardstick } from "./yardstick.js";

export interface BenchmarkOptions {
  readonly workloads: readonly Workload[];
  /** In order; a case's ratios are to the first that was measured. */
  readonly contenders: readonly Contender[];
  readonly environment: Environment;
  readonly dtype: FloatDType;
  /** Stated in the report; the contenders were made with it. */
  readonly threads: number;
  /** ms for one contender and case. */
  readonly budget: number;
  /** Samples of each contender and case, whatever they cost; null: what the budget allows. */
  readonly samples: number | null;
  /** Whether contenders with wrong outputs are timed, too; false if left out. */
  readonly timeWrong?: boolean | undefined;
  /** Reads recorded tensors; from the conformance package's folder if left out. */
  readonly readVector?: ReadVector | undefined;
  /** Measures the peak of each contender's memory, which is not reported if left out. */
  readonly memory?: MemoryMeter | undefined;
  /** Ends the run at the next pause; what is done by then is what the report holds. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((event: ProgressEvent) => void) | undefined;
}

export type ProgressEvent =
  | { readonly type: "loaded"; readonly contenders: readonly ContenderReport[] }
  | { readonly type: "step"; readonly case: number; readonly id: string; readonly step: string }
  | { readonly type: "case"; readonly case: number; readonly report: CaseReport };

/**
 * Measures every contender on every workload.
 *
 * @returns a report of the cases that were done, and `interrupted` if those are not all
 */
export async function runBenchmark(options: BenchmarkOptions): Promise<BenchReport> {
  const { environment, dtype, threads, budget, samples, signal, onProgress } = options;
  const tick = clockTick();
  const yardstick = await createYardstick(tick);
  const contenders: ContenderReport[] = [];
  const ready: ReadyContender[] = [];
  const cases: CaseReport[] = [];
  try {
    for (const contender of options.contenders) {
      signal?.throwIfAborted();
      contenders.push(await load(contender, environment.name, ready));
    }
    onProgress?.({ type: "loaded", contenders });
    for (const [i, workload] of options.workloads.entries()) {
      const report = await runCase(workload, ready, {
        dtype,
        budget,
        samples,
        tick,
        yardstick,
        timeWrong: options.timeWrong ?? false,
        memory: options.memory,
        readVector: options.readVector,
        signal,
        onStep: (step) => onProgress?.({ type: "step", case: i, id: workload.id, step }),
      });
      cases.push(report);
      onProgress?.({ type: "case", case: i, report });
    }
  } catch (error) {
    // Stopped on purpose: what was measured until then is still true.
    if (!signal?.aborted || error !== signal.reason) throw error;
  } finally {
    for (const { loaded } of ready) await loaded.dispose();
  }
  return {
    format: "heed-bench",
    version: reportVersion,
    environments: [environment],
    options: { dtype, threads, budget, samples },
    contenders: contenders.map((contender) => asOfNow(contender, ready)),
    cases,
    ...(signal?.aborted && { interrupted: true }),
  };
}

/** A contender's report with what it found out while it was measured. */
function asOfNow(report: ContenderReport, ready: readonly ReadyContender[]): ContenderReport {
  const found = ready.find(({ name }) => name === report.name);
  return found ? { ...report, info: found.loaded.info } : report;
}

async function load(
  contender: Contender,
  environment: string,
  ready: ReadyContender[],
): Promise<ContenderReport> {
  const about = { name: contender.name, kind: contender.kind, environment };
  try {
    const loaded = await contender.load();
    ready.push({ name: contender.name, loaded });
    const { backend, info } = loaded;
    return { ...about, status: "ready", ...(backend !== undefined && { backend }), info };
  } catch (error) {
    if (error instanceof BackendUnavailableError) {
      const { reason, hint } = error;
      return { ...about, status: "unavailable", reason, ...(hint !== undefined && { hint }) };
    }
    const reason = messageOf(error);
    return { ...about, status: "unavailable", reason };
  }
}
