import { InvalidInputError } from "@heed/core";
import * as v from "valibot";
import { ownSuites, seriesAxes, suites } from "../workloads/workload.js";
import { type BenchReport, reportVersion } from "./report.js";

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/**
 * Control characters, which a terminal would obey, are shown as what they are not; tabs and line ends stay.
 */
const text = v.pipe(
  v.string(),
  v.transform((given) => given.replace(controls, "\ufffd")),
);
// JSON can say 1e999.
const ms = v.pipe(v.number(), v.finite(), v.minValue(0));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const nullable = <S extends v.GenericSchema>(schema: S) => v.nullable(schema);

const reason = v.object({ code: text, message: text, hint: v.exactOptional(text) });

const info = v.object({
  runtime: text,
  device: text,
  features: v.array(text),
  threads: count,
  notes: v.exactOptional(v.array(text)),
  /** As the backend wrote it, and checks it when it is given back. */
  tuning: v.exactOptional(v.record(v.string(), v.unknown())),
});

const contender = v.object({
  name: text,
  environment: text,
  kind: v.picklist(["backend", "peer"]),
  status: v.picklist(["ready", "unavailable"]),
  backend: v.optional(text),
  info: v.optional(info),
  reason: v.optional(text),
  hint: v.optional(text),
});

const firstCall = {
  kernel: text,
  workspaceBytes: nullable(ms),
  cacheBytes: v.optional(ms),
  inputs: v.picklist(["resident", "host"]),
  errorInBudgets: nullable(v.number()),
  planMs: ms,
  placeMs: ms,
  firstCallMs: ms,
  peakBytes: nullable(ms),
  peakOf: v.optional(text),
};

const timing = v.object({ median: ms, p25: ms, p75: ms, min: ms, max: ms, count, outliers: count });
const rounds = v.pipe(v.array(v.pipe(v.array(ms), v.nonEmpty())), v.nonEmpty());
const launch = v.pipe(
  v.object({
    rounds,
    yardstick: v.array(ms),
    device: v.optional(v.array(ms)),
    read: v.optional(v.array(ms)),
    callsPerSample: v.optional(count),
    attention: v.optional(v.object({ host: rounds, resident: v.optional(rounds) })),
  }),
  v.forward(
    v.partialCheck(
      [["rounds"], ["yardstick"]],
      ({ rounds, yardstick }) => rounds.length === yardstick.length,
      "one for each round",
    ),
    ["yardstick"],
  ),
);
const ratio = v.object({ median: ms, p25: ms, p75: ms, rounds: count });

const timed = {
  timing,
  launches: v.pipe(v.array(launch), v.minLength(1)),
  deviceTiming: v.optional(timing),
  readTiming: v.optional(timing),
  attention: v.optional(v.object({ host: timing, resident: v.optional(timing) })),
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
  suite: v.picklist([...suites, ...ownSuites]),
  series: v.optional(v.object({ name: text, axis: v.picklist(seriesAxes), at: ms })),
  // Files written before other operations were measured do not name it.
  operation: v.optional(text, "attention"),
  sizes: v.record(text, count),
  problem: text,
  flops: ms,
  bytes: ms,
  tokens: v.optional(count),
  tiles: v.optional(v.object({ queries: count, keys: count, skipped: v.pipe(ms, v.maxValue(1)) })),
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
  format: v.literal("heed-bench"),
  version: v.literal(reportVersion),
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

/** Looked at first: of another kind of file, or another version, nothing else is worth saying. */
const head = v.object({ format: v.optional(v.unknown()), version: v.optional(v.unknown()) });

/**
 * A report out of parsed JSON. Members that it does not know are dropped.
 *
 * @throws InvalidInputError that names the member at fault
 */
export function parseReport(value: unknown): BenchReport {
  const { format, version } = checked(head, value);
  if (format !== "heed-bench") {
    throw new InvalidInputError("report.format", '"heed-bench", as --json writes', show(format));
  }
  if (version !== reportVersion) {
    const known = `${reportVersion}, the only one that this release reads`;
    throw new InvalidInputError("report.version", known, show(version));
  }
  return checked(report, value);
}

function checked<S extends v.GenericSchema>(schema: S, value: unknown): v.InferOutput<S> {
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const path = v.getDotPath(issue);
  const what = path === null ? "report" : `report.${path}`;
  throw new InvalidInputError(what, issue.expected ?? issue.message, issue.received);
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? "nothing").slice(0, 60);
}
