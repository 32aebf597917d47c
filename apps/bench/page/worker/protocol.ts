import type { ProgressEvent } from "../../src/measure/run-benchmark.js";
import type { BenchReport, Environment } from "../../src/report/report.js";

/** What the page tells the worker. */
export type ToWorker =
  | {
      readonly type: "run";
      /** The request, as a URL says it. */
      readonly params: string;
      readonly environment: Environment;
    }
  | { readonly type: "cancel" };

/** What the worker tells the page. */
export type FromWorker =
  | { readonly type: "ceiling"; readonly environment: Environment }
  | { readonly type: "event"; readonly event: ProgressEvent }
  | { readonly type: "done"; readonly report: BenchReport }
  | { readonly type: "failed"; readonly message: string };
