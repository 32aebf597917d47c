/**
 * The benchmark as a library, for a command line and a page alike: workloads, contenders, the
 * runner and its report. Nothing here needs Node; the command line is under `cli`.
 *
 * @module
 */
export { measureThread, type ThreadCeiling } from "./ceiling/ceiling.js";
export { type Comparison, compareReports } from "./compare/compare.js";
export { backendContender } from "./contenders/backend-contender.js";
export {
  type BackendOptions,
  backendByName,
  backendNames,
  defaultBackendNames,
} from "./contenders/backends.js";
export type {
  Contender,
  ContenderPlan,
  InputPlacement,
  LoadedContender,
  PlacedCall,
} from "./contenders/contender.js";
export {
  type BenchmarkOptions,
  type ProgressEvent,
  runBenchmark,
} from "./measure/run-benchmark.js";
export { type PeerOptions, peerByName, peerNames } from "./peers/peers.js";
export { type Advice, recommend } from "./recommend/recommend.js";
export { reportToCsv } from "./report/csv.js";
export { type DevicePart, devicePart } from "./report/device-part.js";
export { type CeilingFraction, ceilingFraction } from "./report/fraction.js";
export { reportToMarkdown } from "./report/markdown.js";
export { mergeEnvironments } from "./report/merge-environments.js";
export { mergeLaunches } from "./report/merge-launches.js";
export { parseReport } from "./report/parse.js";
export type * from "./report/report.js";
export { type Row, type RowNumbers, rowsOf } from "./report/rows.js";
export {
  defaultRequest,
  type RunRequest,
  requestFromParams,
  requestToParams,
  workloadsOf,
} from "./request.js";
export {
  type LaunchSamples,
  type PairedRatio,
  pairedRatio,
  summarize,
  type TimingSummary,
} from "./statistics.js";

export { parseWorkloads } from "./workloads/file.js";
export { customWorkload } from "./workloads/generated.js";
export {
  selectNames,
  selectWorkloads,
  suiteNames,
  UnknownNameError,
  workloads,
} from "./workloads/select.js";
export { formatShape, parseShape, type WorkloadShape } from "./workloads/shape.js";
export {
  type Series,
  type SeriesAxis,
  type Suite,
  suites,
  type Workload,
} from "./workloads/workload.js";
