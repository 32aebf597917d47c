import { noCounts, type Outcome } from "../report/report.js";
import type {
  BackendConformance,
  DeviceBenchmark,
  DeviceCase,
  DeviceReport,
  DeviceTuning,
} from "./device-report.js";

/** How engines are called. Others have their own names. */
const engineNames: Readonly<Record<string, string>> = {
  ...{ node: "Node", deno: "Deno", bun: "Bun" },
  ...{ chromium: "Chromium", firefox: "Firefox", safari: "Safari", webkit: "WebKitGTK" },
};

/** The engine in words, with its own version: `"Firefox 153.8"`. */
export function engineTitle({ environment }: DeviceReport): string {
  const { engine, versions } = environment;
  const version = versions[engine];
  const name = engineName(engine);
  return version === undefined ? name : `${name} ${version}`;
}

export function engineName(engine: string): string {
  return engineNames[engine] ?? engine;
}

/** The device: as its owner names it, or else by its processor or its GPU. */
export function deviceTitle(report: DeviceReport): string {
  const { device, environment } = report;
  return device ?? environment.cpu ?? adapterOf(report) ?? environment.platform;
}

/** The GPU, as WebGPU names it: of the first backend that computes on one. */
export function adapterOf({ conformance = [], benchmark }: DeviceReport): string | null {
  const infos = [...conformance, ...(benchmark?.contenders ?? [])].map(({ info }) => info);
  return infos.find((info) => info && info.device !== "CPU")?.device ?? null;
}

/** The machine in a line. */
export function machineInWords({ environment }: DeviceReport): string {
  const { cpu, cores, memory, platform } = environment;
  return [
    cpu ?? "unknown processor",
    ...(cores === null ? [] : [`${cores} ${cores === 1 ? "core" : "cores"}`]),
    ...(memory === null ? [] : [`${(memory / 2 ** 30).toFixed(1)} GiB`]),
    platform,
  ].join(", ");
}

/** Cases of all profiles by outcome. */
export function totals({ profiles }: BackendConformance): Record<Outcome, number> {
  const sum = noCounts();
  for (const counts of Object.values(profiles)) {
    for (const outcome of Object.keys(sum) as Outcome[]) sum[outcome] += counts[outcome];
  }
  return sum;
}

/** 10⁹ operations a second; null where the case counts none, and where nothing was measured. */
export function gflopsOf({ flops, results }: DeviceCase, contender: string): number | null {
  const result = results.find((one) => one.contender === contender);
  if (result?.status !== "measured" || flops === 0 || result.median === 0) return null;
  return flops / result.median / 1e6;
}

/** The highest rate of a contender, and the case in which it was reached; null if there is none. */
export function bestRate(
  { cases }: DeviceBenchmark,
  contender: string,
): { readonly gflops: number; readonly id: string } | null {
  let best: { gflops: number; id: string } | null = null;
  for (const one of cases) {
    const gflops = gflopsOf(one, contender);
    if (gflops !== null && gflops > (best?.gflops ?? 0)) best = { gflops, id: one.id };
  }
  return best;
}

/** A table of measured choices in words: how many there are, and how much the best of them gains. */
export function tuningInWords({ choices }: DeviceTuning): string {
  const given = typeof choices === "object" && choices !== null ? Object.values(choices) : [];
  const gains = given.flatMap((choice) => {
    const { gain } = (choice ?? {}) as { readonly gain?: unknown };
    return typeof gain === "number" && gain >= 1 && Number.isFinite(gain) ? [gain] : [];
  });
  const faster = gains.filter((gain) => gain > 1);
  const measured = `measured kernels for ${gains.length} ${gains.length === 1 ? "class" : "classes"} of problems`;
  if (faster.length === 0) return `${measured}, as the rules choose them`;
  const most = Math.max(...faster).toPrecision(2);
  return `${measured}, ${faster.length} faster than the rules choose, by up to ${Number(most)} times`;
}
