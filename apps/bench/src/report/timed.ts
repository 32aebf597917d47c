import { type LaunchSamples, summarize, type TimingSummary } from "../statistics.js";
import type { AttentionTimings, CaseResult, Timed } from "./report.js";

/** The timings of a result, right or wrong; null if it was not timed. */
export function timedOf(result: CaseResult): Timed | null {
  if (result.status === "measured") return result;
  return (result.status === "wrong" ? result.timed : null) ?? null;
}

/** Combines the samples of several launches; without a ratio to other contenders. */
export function summarizeLaunches(launches: readonly LaunchSamples[]): Timed {
  const device = launches.flatMap((launch) => launch.device ?? []);
  const read = launches.flatMap((launch) => launch.read ?? []);
  return {
    timing: summarize(launches.flatMap(({ rounds }) => rounds.flat())),
    launches,
    ...(device.length > 0 && { deviceTiming: summarize(device) }),
    ...(read.length > 0 && { readTiming: summarize(read) }),
    ...attentionTimings(launches),
    clock: device.length > 0 ? "gpu timestamps" : "wall clock",
  };
}

/** Only where every launch made the call in that way: a launch that did not would weigh nothing. */
function attentionTimings(launches: readonly LaunchSamples[]): Pick<Timed, "attention"> {
  const samples = (way: keyof AttentionTimings): TimingSummary | null => {
    const all = launches.map(({ attention }) => attention?.[way]?.flat() ?? []);
    return all.some(({ length }) => length === 0) ? null : summarize(all.flat());
  };
  const host = samples("host");
  const resident = samples("resident");
  return host ? { attention: { host, ...(resident && { resident }) } } : {};
}
