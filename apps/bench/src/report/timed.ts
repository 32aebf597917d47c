import { type LaunchSamples, summarize } from "../statistics.js";
import type { CaseResult, Timed } from "./report.js";

/** What a result was timed at, right or wrong; null where it was not. */
export function timedOf(result: CaseResult): Timed | null {
  if (result.status === "measured") return result;
  return (result.status === "wrong" ? result.timed : null) ?? null;
}

/** What launches found, put together; without a ratio to others. */
export function summarizeLaunches(launches: readonly LaunchSamples[]): Timed {
  const device = launches.flatMap((launch) => launch.device ?? []);
  const read = launches.flatMap((launch) => launch.read ?? []);
  return {
    timing: summarize(launches.flatMap(({ rounds }) => rounds.flat())),
    launches,
    ...(device.length > 0 && { deviceTiming: summarize(device) }),
    ...(read.length > 0 && { readTiming: summarize(read) }),
    clock: device.length > 0 ? "gpu timestamps" : "wall clock",
  };
}
