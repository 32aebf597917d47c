import * as v from "valibot";
import { seriesAxes, suites } from "../workloads/workload.js";
import { type BenchReport, reportVersion } from "./report.js";

const text = v.string();
const ms = v.pipe(v.number(), v.minValue(0));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const nullable = <S extends v.GenericSchema>(schema: S) => v.nullable(schema);

const reason = v.object({ code: text, message: text, hint: v.exactOptional(text) });

const info = v.object({
  runtime: text,
  device: text,
  features: v.array(text),
  threads: count,
  notes: v.exactOptional(v.array(text)),
});

const contender = v.object({
  name: text,
  environment: text,
  kind: v.picklist(["backend", "peer"]),
  status: v.picklist(["ready", "unavailable"]),
  info: v.optional(info),
  reason: v.optional(text),
  hint: v.optional(text),
});

const firstCall = {
  kernel: text,
  workspaceBytes: nullable(ms),
  inputs: v.picklist(["resident", "host"]),
  errorInBudgets: nullable(v.number()),
  planMs: ms,
  placeMs: ms,
  firstCallMs: ms,
  peakBytes: nullable(ms),
  peakOf: v.optional(text),
};

const timing = v.object({ median: ms, p25: ms, p75: ms, min: ms, max: ms, count, outliers: count });
const launch = v.object({
  rounds: v.array(v.array(ms)),
  yardstick: v.array(ms),
  device: v.optional(v.array(ms)),
  callsPerSample: v.optional(count),
});
const ratio = v.object({ median: ms, p25: ms, p75: ms, rounds: count });

const timed = {
  timing,
  launches: v.pipe(v.array(launch), v.minLength(1)),
  deviceTiming: v.optional(timing),
  clock: v.optional(v.picklist(["gpu timestamps", "wall clock"])),
  ratio: v.optional(ratio),
};

const result = v.variant("status", [
  v.object({
    contender: text,
    status: v.literal("measured"),
    ...firstCall,
    ...timed,
  }),
  v.object({
    contender: text,
    status: v.literal("wrong"),
    ...firstCall,
    message: text,
    timed: v.optional(v.object(timed)),
  }),
  v.object({ contender: text, status: v.literal("refused"), reasons: v.array(reason) }),
  v.object({ contender: text, status: v.literal("failed"), message: text }),
]);

const caseReport = v.object({
  id: text,
  title: text,
  source: text,
  suite: v.picklist([...suites, "custom"]),
  series: v.optional(v.object({ name: text, axis: v.picklist(seriesAxes), at: ms })),
  sizes: v.object({
    batch: count,
    queryHeads: count,
    kvHeads: count,
    queryLength: count,
    keyLength: count,
    headDim: count,
    valueDim: count,
  }),
  problem: text,
  flops: ms,
  bytes: ms,
  results: v.array(result),
});

const ceiling = v.object({
  threads: count,
  arithmetic: v.pipe(v.array(v.object({ features: text, gflops: ms })), v.minLength(1)),
  readGBps: ms,
});

const environment = v.object({
  name: text,
  date: v.pipe(text, v.isoTimestamp()),
  versions: v.record(text, text),
  cpu: nullable(text),
  cores: count,
  platform: text,
  memory: nullable(ms),
  notes: v.optional(v.array(text)),
  ceiling: v.optional(ceiling),
});

const report = v.object({
  format: v.literal("heed-bench", "not a file of heed-bench"),
  version: v.literal(reportVersion, `only version ${reportVersion} of the format is known`),
  environments: v.pipe(v.array(environment), v.minLength(1)),
  options: v.object({
    dtype: v.picklist(["float64", "float32", "float16"]),
    threads: count,
    budget: ms,
    samples: nullable(count),
  }),
  contenders: v.array(contender),
  cases: v.array(caseReport),
  interrupted: v.optional(v.boolean()),
});

/**
 * A report out of parsed JSON. Members that it does not know are dropped.
 *
 * @throws ValiError (an Error) that names the member at fault
 */
export function parseReport(value: unknown): BenchReport {
  return v.parse(report, value);
}
