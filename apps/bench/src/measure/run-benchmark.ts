import { BackendUnavailableError, type FloatDType } from "@heed/core";
import type { Contender } from "../contenders/contender.js";
import type {
  BenchReport,
  CaseReport,
  CeilingReport,
  ContenderReport,
  Environment,
} from "../report/report.js";
import { reportVersion } from "../report/report.js";
import type { Workload } from "../workloads/workload.js";
import { type ReadyContender, runCase } from "./run-case.js";

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
  readonly ceiling?: CeilingReport | undefined;
  /** Rejects the run with the signal's reason at the next pause. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((event: ProgressEvent) => void) | undefined;
}

export type ProgressEvent =
  | { readonly type: "loaded"; readonly contenders: readonly ContenderReport[] }
  | { readonly type: "step"; readonly case: number; readonly id: string; readonly step: string }
  | { readonly type: "case"; readonly case: number; readonly report: CaseReport };

/** Measures every contender on every workload. */
export async function runBenchmark(options: BenchmarkOptions): Promise<BenchReport> {
  const { dtype, threads, budget, samples, signal, onProgress } = options;
  const contenders: ContenderReport[] = [];
  const ready: ReadyContender[] = [];
  const cases: CaseReport[] = [];
  try {
    for (const contender of options.contenders) {
      signal?.throwIfAborted();
      contenders.push(await load(contender, ready));
    }
    onProgress?.({ type: "loaded", contenders });
    for (const [i, workload] of options.workloads.entries()) {
      const report = await runCase(workload, ready, {
        dtype,
        budget,
        samples,
        signal,
        onStep: (step) => onProgress?.({ type: "step", case: i, id: workload.id, step }),
      });
      cases.push(report);
      onProgress?.({ type: "case", case: i, report });
    }
  } finally {
    for (const { loaded } of ready) loaded.dispose();
  }
  return {
    format: "heed-bench",
    version: reportVersion,
    environment: options.environment,
    options: { dtype, threads, budget, samples },
    contenders,
    cases,
    ...(options.ceiling && { ceiling: options.ceiling }),
  };
}

async function load(contender: Contender, ready: ReadyContender[]): Promise<ContenderReport> {
  const { name, kind } = contender;
  try {
    const loaded = await contender.load();
    ready.push({ name, loaded });
    return { name, kind, status: "ready", info: loaded.info };
  } catch (error) {
    if (error instanceof BackendUnavailableError) {
      const { reason, hint } = error;
      return { name, kind, status: "unavailable", reason, ...(hint !== undefined && { hint }) };
    }
    const reason = error instanceof Error ? error.message : String(error);
    return { name, kind, status: "unavailable", reason };
  }
}
