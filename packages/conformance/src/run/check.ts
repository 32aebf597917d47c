import { type AttentionBackend, type AttentionProvider, BackendUnavailableError } from "@heed/core";
import { vectorCases } from "../calls/vectors.js";
import { behaviours } from "../operations/attention/behaviours/index.js";
import { exhaustiveCases } from "../operations/attention/cases/exhaustive.js";
import { cases } from "../operations/attention/cases/index.js";
import { laws } from "../operations/attention/laws/index.js";
import { operationSuites } from "../operations/index.js";
import { type CaseResult, type ConformanceReport, noCounts } from "../report/report.js";
import type { ConformanceCase, Profile } from "./case.js";
import { type AnyCase, type CaseOptions, checkCase } from "./check-case.js";
import { applyDeclaration, type Declaration, readDeclaration } from "./declaration.js";

export interface CheckOptions extends CaseOptions {
  /** Only cases whose id contains this. */
  readonly filter?: string | undefined;
  /** Only this profile, without recorded vectors. Default all, with them. */
  readonly profile?: Profile | undefined;
  /** Only the case of this id. */
  readonly id?: string | undefined;
  /** Only this case, which need not be one of the suite's: a failing law prints such. */
  readonly pasted?: Pick<ConformanceCase, "id" | "spec"> | undefined;
  /** Full crosses too, and 25 times as many random problems for each law. */
  readonly exhaustive?: boolean | undefined;
  /** Whether recorded vectors run too. Default true. */
  readonly vectors?: boolean | undefined;
  /** The backend's name in the report. Default its own name. */
  readonly name?: string | undefined;
  /** The backend's declaration, from its `conformance.json`. */
  readonly declaration?: Declaration | undefined;
  /** Called after each case. */
  readonly onResult?: ((result: CaseResult, done: number, total: number) => void) | undefined;
}

/** The cases that options select, in order. */
export function selectCases(options: CheckOptions = {}): AnyCase[] {
  const { filter = "", profile, id, pasted, exhaustive, vectors = true } = options;
  if (pasted) return [{ ...pasted, profile: "numerics" }];
  const own = [
    ...cases,
    ...(exhaustive ? exhaustiveCases() : []),
    ...laws,
    ...behaviours,
    ...Object.values(operationSuites).flatMap((suite) => suite.cases),
    ...(vectors ? Object.values(operationSuites).flatMap((suite) => suite.vectors) : []),
  ];
  const ofProfile = own.filter((c) => profile === undefined || c.profile === profile);
  const recorded = vectors && profile === undefined ? vectorCases : [];
  return [...ofProfile, ...recorded].filter(
    (c) => c.id.includes(filter) && (id === undefined || c.id === id),
  );
}

/** The ids of all cases. */
export function allIds(): string[] {
  return selectCases().map(({ id }) => id);
}

/**
 * Runs every case on a backend and reports each outcome. Works in any runtime and under any test
 * runner; nothing is thrown for what the backend gets wrong.
 */
export async function checkBackend(
  provider: AttentionProvider,
  options: CheckOptions = {},
): Promise<ConformanceReport> {
  const selected = selectCases(options);
  const declaration = readDeclaration(options.declaration, allIds());
  const claims = declaration.profiles ?? [];
  const counts = noCounts();
  const results: CaseResult[] = [];
  let backend: AttentionBackend;
  try {
    backend = await provider.load();
  } catch (error) {
    const unavailable = unavailability(error);
    const environment = describeEnvironment();
    const name = options.name ?? provider.name;
    return { backend: name, unavailable, info: null, environment, claims, counts, results };
  }
  try {
    for (const c of selected) {
      const found = await checkCase({ backend, provider }, c, {
        ...options,
        runs: options.runs ?? (options.exhaustive ? exhaustiveRuns : undefined),
      });
      const result = applyDeclaration(found, declaration);
      counts[result.outcome] += 1;
      results.push(result);
      options.onResult?.(result, results.length, selected.length);
      await breathe();
    }
  } finally {
    backend.dispose();
  }
  return {
    backend: options.name ?? backend.name,
    unavailable: null,
    info: backend.info,
    environment: describeEnvironment(),
    claims,
    counts,
    results,
  };
}

/** Random problems for each law in an exhaustive run. */
const exhaustiveRuns = 300;

export function unavailability(error: unknown): { reason: string; hint?: string } {
  if (error instanceof BackendUnavailableError) {
    return { reason: error.reason, ...(error.hint !== undefined && { hint: error.hint }) };
  }
  return { reason: error instanceof Error ? error.message : String(error) };
}

/** Lets timers, progress and a browser's events have their turn. */
function breathe(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** The runtime, in a few words. */
export function describeEnvironment(): string {
  const { process, navigator } = globalThis as {
    process?: {
      version?: string;
      versions?: { deno?: string; bun?: string };
      platform?: string;
      arch?: string;
    };
    navigator?: { userAgent?: string };
  };
  if (process?.version) {
    // Deno and Bun give the version of Node that they imitate as well.
    const { deno, bun } = process.versions ?? {};
    const runtime = deno ? `Deno ${deno}` : bun ? `Bun ${bun}` : `Node ${process.version}`;
    return `${runtime} ${process.platform} ${process.arch}`;
  }
  return navigator?.userAgent ?? "an unknown runtime";
}
