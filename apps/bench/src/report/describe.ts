import { formatNumber } from "./format.js";
import type { CeilingReport, ContenderReport, Environment } from "./report.js";

/** The machine in a line. */
export function describeMachine({ cpu, cores, platform }: Environment): string {
  return `${cpu ?? "unknown processor"}, ${cores} cores, ${platform}`;
}

export function describeVersions({ versions }: Environment): string {
  return Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ");
}

/** The runtime, device and features that a contender runs on, or why it is unavailable. */
export function describeContender({ status, info, reason, hint }: ContenderReport): string {
  if (status === "unavailable" || !info) {
    return `unavailable: ${reason ?? "no reason given"}${hint === undefined ? "" : ` (${hint})`}`;
  }
  const { runtime, device, features, threads, notes = [] } = info;
  const parts = [`${runtime} on ${device}`, ...features];
  if (threads > 1) parts.push(`${threads} threads`);
  return [parts.join(", "), ...notes].join("; ");
}

export function describeCeiling({ arithmetic, readGBps, threads }: CeilingReport): string {
  const rates = arithmetic.map(
    ({ features, gflops }) => `${formatNumber(gflops)} GFLOP/s (${features})`,
  );
  return `ceiling of wasm on ${plural(threads, "thread")}: ${rates.join(", ")}, read ${formatNumber(readGBps)} GB/s`;
}

/** `1 thread`, `2 threads`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
