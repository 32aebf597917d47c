import type { ProgressEvent } from "../../src/measure/run-benchmark.js";
import type { BenchReport, Environment } from "../../src/report/report.js";

/** Messages from the page to the worker. */
export type ToWorker =
  | {
      readonly type: "run";
      /** The request, as a URL says it. */
      readonly params: string;
      readonly environment: Environment;
    }
  | { readonly type: "cancel" };

/** Messages from the worker to the page. */
export type FromWorker =
  | { readonly type: "ceiling"; readonly environment: Environment }
  | { readonly type: "event"; readonly event: ProgressEvent }
  | { readonly type: "done"; readonly report: BenchReport }
  | { readonly type: "failed"; readonly message: string };
