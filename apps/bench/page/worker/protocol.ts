import type { ProgressEvent } from "../../src/measure/run-benchmark.js";
import type { BenchReport, Environment } from "../../src/report/report.js";

/** Messages from the page to the worker. */
export type ToWorker =
  | {
      readonly type: "run";
      /** The request, as a URL says it. */
      readonly params: string;
      readonly environment: Environment;
      /** The page's own, to which addresses in the request are relative. */
      readonly address: string;
    }
  | { readonly type: "cancel" };

/** Messages from the worker to the page. */
export type FromWorker =
  /** Arithmetic operations of each case, which are known once a model is read. */
  | { readonly type: "cases"; readonly flops: readonly number[] }
  | { readonly type: "ceiling"; readonly environment: Environment }
  | { readonly type: "event"; readonly event: ProgressEvent }
  | { readonly type: "done"; readonly report: BenchReport }
  | { readonly type: "failed"; readonly message: string };
