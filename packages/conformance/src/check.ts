import {
  type AttentionBackend,
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionProblem,
  type AttentionProvider,
  BackendUnavailableError,
  contiguous,
  createAttention,
  describeProblem,
  type HostTensor,
  isDeviceTensor,
  type SupportReason,
  toFloat64,
  UnsupportedError,
} from "@heed/core";
import { type ConformanceCase, caseInputs, type Profile } from "./case.js";
import { cases } from "./cases/index.js";
import { judge, passes, type Verdict } from "./judge.js";
import { naive } from "./naive-backend.js";
import { type CaseResult, type ConformanceReport, featuresOf, type Outcome } from "./report.js";
import { runVector } from "./vector-run.js";
import { type ReadVector, type VectorCase, vectorCases } from "./vectors.js";

export interface CheckOptions {
  /** Only cases whose id contains this. */
  readonly filter?: string | undefined;
  /** Only this profile, without recorded vectors. Default all, with them. */
  readonly profile?: Profile | undefined;
  /** Whether recorded vectors run too. Default true. */
  readonly vectors?: boolean | undefined;
  /** How to read a recorded vector. Default: beside this package's modules. */
  readonly readVector?: ReadVector | undefined;
  /** Called after each case. */
  readonly onResult?: ((result: CaseResult, done: number, total: number) => void) | undefined;
}

/** Any case: synthetic or recorded. */
export type AnyCase = ConformanceCase | VectorCase;

/** The cases that options select, in order. */
export function selectCases(options: CheckOptions = {}): AnyCase[] {
  const { filter = "", profile, vectors = true } = options;
  const synthetic = cases.filter((c) => profile === undefined || c.profile === profile);
  const recorded = vectors && profile === undefined ? vectorCases : [];
  return [...synthetic, ...recorded].filter(({ id }) => id.includes(filter));
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
  const counts: Record<Outcome, number> = { pass: 0, fail: 0, unsupported: 0 };
  const results: CaseResult[] = [];
  let backend: AttentionBackend;
  try {
    backend = await provider.load();
  } catch (error) {
    const unavailable = unavailability(error);
    const environment = describeEnvironment();
    const { name } = provider;
    return { version: 1, backend: name, unavailable, info: null, environment, counts, results };
  }
  try {
    for (const c of selected) {
      const result = await checkCase(backend, c, options.readVector);
      counts[result.outcome] += 1;
      results.push(result);
      options.onResult?.(result, results.length, selected.length);
      await breathe();
    }
  } finally {
    backend.dispose();
  }
  return {
    version: 1,
    backend: backend.name,
    unavailable: null,
    info: backend.info,
    environment: describeEnvironment(),
    counts,
    results,
  };
}

export function unavailability(error: unknown): { reason: string; hint?: string } {
  if (error instanceof BackendUnavailableError) {
    return { reason: error.reason, ...(error.hint !== undefined && { hint: error.hint }) };
  }
  return { reason: error instanceof Error ? error.message : String(error) };
}

/** Runs one case on a loaded backend. Never throws: a backend's error is the case's failure. */
export async function checkCase(
  backend: AttentionBackend,
  c: AnyCase,
  readVector?: ReadVector,
): Promise<CaseResult> {
  const start = performance.now();
  const found = await ("spec" in c
    ? checkSynthetic(backend, c)
    : checkVector(backend, c, readVector));
  return {
    id: c.id,
    profile: "spec" in c ? c.profile : "vectors",
    budgets: null,
    nmse: null,
    worst: null,
    failures: [],
    reasons: [],
    ...found,
    milliseconds: performance.now() - start,
  };
}

type Finding = Pick<CaseResult, "outcome" | "features"> & Partial<CaseResult>;

async function checkSynthetic(backend: AttentionBackend, c: ConformanceCase): Promise<Finding> {
  const inputs = caseInputs(c);
  const problem = describeProblem(inputs);
  const features = featuresOf(problem);
  const support = backend.supports(problem);
  if (!support.ok) return { features, ...(await checkRefusal(backend, problem, support.reasons)) };
  try {
    const verdict = await runTwice(backend, problem, inputs);
    return { features, ...verdictFinding(verdict) };
  } catch (error) {
    return { features, ...crash(error) };
  }
}

/** Refusing is honest only if a refused problem really is refused, for the same reasons. */
async function checkRefusal(
  backend: AttentionBackend,
  problem: AttentionProblem,
  reasons: readonly SupportReason[],
): Promise<Omit<Finding, "features">> {
  const fail = (failure: string): Omit<Finding, "features"> => ({
    outcome: "fail",
    failures: [failure],
    reasons,
  });
  if (reasons.length === 0) return fail("supports() refuses without a reason");
  try {
    const plan = await backend.plan(problem);
    plan.dispose();
    return fail("supports() refuses the problem, but plan() accepts it");
  } catch (error) {
    if (!(error instanceof UnsupportedError)) {
      return fail(
        `plan() of a refused problem throws ${describeError(error)}, not UnsupportedError`,
      );
    }
    const told = error.backends.flatMap((b) => b.reasons.map(({ code }) => code));
    if (told.join() !== reasons.map(({ code }) => code).join()) {
      return fail("plan() throws UnsupportedError with other reasons than supports() gives");
    }
    return { outcome: "unsupported", reasons };
  }
}

/** A run, judged; and a second one, which must give the same bits. Inputs must come out unchanged. */
async function runTwice(
  backend: AttentionBackend,
  problem: AttentionProblem,
  inputs: AttentionInputs<HostTensor>,
): Promise<Verdict> {
  const before = bytesOfInputs(inputs);
  const plan = await backend.plan(problem);
  try {
    const first = await toHost(await plan.run(inputs));
    const verdict = judge(inputs, first);
    const second = await toHost(await plan.run(inputs));
    const violations = [...verdict.violations];
    for (const [name, t] of Object.entries(first) as [keyof typeof first, HostTensor][]) {
      const again = second[name];
      if (!again || !sameBytes(toFloat64(t), toFloat64(again))) {
        violations.push(`${name} differs between two runs of the same inputs`);
      }
    }
    if (!sameBytes(before, bytesOfInputs(inputs))) violations.push("the inputs were changed");
    return { ...verdict, violations };
  } finally {
    plan.dispose();
  }
}

async function toHost(outputs: AttentionOutputs): Promise<AttentionOutputs<HostTensor>> {
  const entries = Object.entries(outputs).filter(([, t]) => t !== undefined);
  const host = await Promise.all(
    entries.map(async ([name, t]) => [name, isDeviceTensor(t) ? await t.read() : t]),
  );
  return Object.fromEntries(host) as AttentionOutputs<HostTensor>;
}

function bytesOfInputs({ query, key, value, mask, bias }: AttentionInputs<HostTensor>): Uint8Array {
  const parts = [query, key, value, mask, bias]
    .filter((t) => t !== undefined)
    .map((t) => {
      const { data } = contiguous(t);
      return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    });
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function sameBytes(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}

async function checkVector(
  backend: AttentionBackend,
  c: VectorCase,
  readVector?: ReadVector,
): Promise<Finding> {
  const features = c.folder === "onnx" ? ["ONNX Attention"] : [];
  const provider = { name: backend.name, load: async () => borrow(backend) };
  const under = { selfTest: false, fallback: "silent" } as const;
  const attention = await createAttention({ backends: [provider], ...under });
  const yardstick = await createAttention({ backends: [naive()], ...under });
  try {
    const verdict = await runVector(c, attention, yardstick, readVector);
    return { features, ...verdictFinding(verdict) };
  } catch (error) {
    if (error instanceof UnsupportedError) {
      return {
        features,
        outcome: "unsupported",
        reasons: error.backends.flatMap((b) => b.reasons),
      };
    }
    return { features, ...crash(error) };
  } finally {
    await attention.dispose();
    await yardstick.dispose();
  }
}

/** The backend without its `dispose`: it outlives the attention that borrows it. */
function borrow(backend: AttentionBackend): AttentionBackend {
  return {
    name: backend.name,
    info: backend.info,
    supports: (problem) => backend.supports(problem),
    plan: (problem) => backend.plan(problem),
    dispose: () => {},
  };
}

function verdictFinding(verdict: Verdict): Omit<Finding, "features"> {
  const { budgets, nmse, worst, violations } = verdict;
  const failures = [...violations];
  if (budgets > 1) failures.push("the error is larger than allowed");
  return { outcome: passes(verdict) ? "pass" : "fail", budgets, nmse, worst, failures };
}

function crash(error: unknown): Omit<Finding, "features"> {
  const message = `the backend accepted the problem and then failed: ${describeError(error)}`;
  return { outcome: "fail", failures: [message] };
}

function describeError(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** Lets timers, progress and a browser's events have their turn. */
function breathe(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** The runtime, in a few words. */
export function describeEnvironment(): string {
  const { process, navigator } = globalThis as {
    process?: { version?: string; platform?: string; arch?: string };
    navigator?: { userAgent?: string };
  };
  if (process?.version) return `Node ${process.version} ${process.platform} ${process.arch}`;
  return navigator?.userAgent ?? "an unknown runtime";
}
