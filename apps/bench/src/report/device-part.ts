import {
  caseCharacters,
  type DeviceBenchmark,
  type DeviceEnvironment,
  type DeviceResult,
  type DeviceTuning,
  fitting,
  most,
  shorten,
  shortInfo,
} from "@heed/conformance/device-report";
import { InvalidInputError } from "@heed/core";
import { ownName } from "./merge-environments.js";
import type { BenchReport, CaseReport, CaseResult, Environment } from "./report.js";
import { noteOf } from "./rows.js";

/** The part of a report of the benchmark that a device report takes. */
export interface DevicePart {
  readonly environment: DeviceEnvironment;
  readonly benchmark: DeviceBenchmark;
  /** The choices that a backend measured before its cases were timed; left out if none did. */
  readonly tuning?: DeviceTuning;
}

/**
 * One environment's results as a device report keeps them: medians and quartiles, without samples.
 *
 * @param name of the environment; may be left out if the report has only one
 * @throws InvalidInputError if the report has no such environment, or several of which none is named
 */
export function devicePart(report: BenchReport, name?: string): DevicePart {
  const environment = environmentNamed(report, name);
  const contenders = report.contenders.filter((c) => c.environment === environment.name);
  const names = new Map(contenders.map((c) => [c.name, ownName(c.name, environment)]));
  const all = report.cases
    .map((c) => shortCase(c, names))
    .filter(({ results }) => results.length > 0);
  const cases = fitting(all, caseCharacters);
  const tuning = contenders.map(({ info }) => info?.tuning).find(isTuning);
  return {
    ...(tuning && { tuning }),
    environment: shortEnvironment(environment),
    benchmark: {
      date: environment.date,
      dtype: report.options.dtype,
      threads: report.options.threads,
      contenders: contenders.slice(0, most.contenders).map(({ name, kind, info, reason }) => ({
        name: shorten(names.get(name) as string),
        kind,
        info: info ? shortInfo(info) : null,
        unavailable: info ? null : shorten(reason ?? "no reason given"),
      })),
      cases,
      casesLeftOut: all.length - cases.length,
    },
  };
}

/** Whether a backend's table says what it is; all else is checked by the backend that reads it. */
function isTuning(table: object | undefined): table is DeviceTuning {
  const { format, version } = (table ?? {}) as Partial<DeviceTuning>;
  return typeof format === "string" && typeof version === "number";
}

function environmentNamed({ environments }: BenchReport, name: string | undefined): Environment {
  const names = environments.map((one) => one.name).join(", ");
  if (name === undefined && environments.length > 1) {
    throw new InvalidInputError("environment", `one of ${names}`, "none");
  }
  const found = environments.find((one) => name === undefined || one.name === name);
  if (!found) throw new InvalidInputError("environment", `one of ${names}`, String(name));
  return found;
}

function shortEnvironment(environment: Environment): DeviceEnvironment {
  const { name, versions, platform, cpu, cores, memory, notes } = environment;
  return {
    engine: name,
    versions: Object.fromEntries(
      Object.entries(versions)
        .slice(0, most.texts)
        .map(([of, version]) => [shorten(of), shorten(version)]),
    ),
    platform: shorten(platform),
    cpu: cpu === null ? null : shorten(cpu),
    cores,
    memory,
    ...(notes && { notes: notes.slice(0, most.texts).map((note) => shorten(note)) }),
  };
}

function shortCase(
  { id, title, operation, flops, bytes, results }: CaseReport,
  names: ReadonlyMap<string, string>,
): DeviceBenchmark["cases"][number] {
  return {
    id: shorten(id),
    title: shorten(title),
    operation: shorten(operation),
    flops,
    bytes,
    results: results
      .filter(({ contender }) => names.has(contender))
      .slice(0, most.contenders)
      .map((result) => shortResult(result, shorten(names.get(result.contender) as string))),
  };
}

function shortResult(result: CaseResult, contender: string): DeviceResult {
  if (result.status !== "measured") {
    return { contender, status: result.status, message: shorten(noteOf(result) ?? "") };
  }
  const { timing, deviceTiming } = result;
  return {
    contender,
    status: "measured",
    median: digits(timing.median),
    p25: digits(timing.p25),
    p75: digits(timing.p75),
    ...(deviceTiming && { device: digits(deviceTiming.median) }),
    count: timing.count,
  };
}

/** Four significant digits: a time has no more. */
function digits(value: number): number {
  return Number(value.toPrecision(4));
}
