import type { BackendInfo, SupportReason } from "@heed/core";
import { type ConformanceReport, noCounts, type Outcome } from "../report/report.js";
import { failureCharacters, fitting, most, shorten } from "./bounds.js";
import type { BackendConformance, DeviceEnvironment, DeviceFailure } from "./device-report.js";

/** The suite's reports as a device report keeps them: counts, failures, and reasons of refusals. */
export function conformancePart(reports: readonly ConformanceReport[]): BackendConformance[] {
  let left = failureCharacters;
  return reports.map((report) => {
    const { backend, unavailable, info, results } = report;
    const profiles: Record<string, Record<Outcome, number>> = {};
    for (const { profile, outcome } of results) {
      const counts = profiles[profile] ?? noCounts();
      counts[outcome] += 1;
      profiles[profile] = counts;
    }
    const all = failuresOf(report);
    const failures = fitting(all, left);
    left -= JSON.stringify(failures).length;
    return {
      backend: shorten(backend),
      unavailable: unavailable && {
        reason: shorten(unavailable.reason),
        ...(unavailable.hint !== undefined && { hint: shorten(unavailable.hint) }),
      },
      info: info && shortInfo(info),
      profiles,
      failures,
      failuresLeftOut: all.length - failures.length,
      refusals: refusalsOf(report).slice(0, most.refusals),
    };
  });
}

function failuresOf({ results }: ConformanceReport): DeviceFailure[] {
  return results.flatMap(({ id, outcome, failures, explanations = [] }) =>
    outcome === "fail" || outcome === "known-failure"
      ? {
          id: shorten(id),
          outcome,
          messages: failures.slice(0, 3).map((message) => shorten(message)),
          explanations: explanations.slice(0, 3).map((made) => shorten(made.join(", and "))),
        }
      : [],
  );
}

function refusalsOf({ results }: ConformanceReport): BackendConformance["refusals"] {
  const found = new Map<string, SupportReason & { readonly cases: number }>();
  for (const { reasons } of results) {
    for (const { code, message, hint } of reasons) {
      const cases = (found.get(message)?.cases ?? 0) + 1;
      const words = { code: shorten(code), message: shorten(message) };
      found.set(message, { ...words, ...(hint !== undefined && { hint: shorten(hint) }), cases });
    }
  }
  return [...found.values()].sort((a, b) => b.cases - a.cases);
}

/** A backend's description within the bounds of a report. */
export function shortInfo({ runtime, device, features, threads, notes }: BackendInfo): BackendInfo {
  const short = (all: readonly string[]) => all.slice(0, most.texts).map((text) => shorten(text));
  return {
    runtime: shorten(runtime),
    device: shorten(device),
    features: short(features),
    threads,
    ...(notes && { notes: short(notes) }),
  };
}

/**
 * The environment that a report of the suite names: a runtime and its platform, as in `"Deno 2.9.0 linux x64"`.
 *
 * @returns null for a browser, which says more about itself than a report keeps
 */
export function environmentOf({ environment }: ConformanceReport): DeviceEnvironment | null {
  const [, name = "", version = "", platform = ""] =
    /^(Node|Deno|Bun) v?(\d[\w.+-]*) (.+)$/.exec(environment) ?? [];
  if (name === "") return null;
  const engine = name.toLowerCase();
  return {
    ...{ engine, versions: { [engine]: version }, platform: shorten(platform) },
    ...{ cpu: null, cores: null, memory: null },
  };
}
