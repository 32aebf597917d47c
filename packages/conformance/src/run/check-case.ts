import {
  type AttentionBackend,
  type AttentionInputs,
  type AttentionProblem,
  type AttentionProvider,
  attention,
  attentionFeaturesOf,
  createAttention,
  describeProblem,
  type HostTensor,
  type Plan,
  type SupportReason,
  UnsupportedError,
} from "@heed/core";
import { toHost } from "../calls/bits.js";
import type { ReadVector, VectorCase } from "../calls/vectors.js";
import { arithmeticOf } from "../judge/arithmetic.js";
import { passes, type Verdict } from "../judge/verdict.js";
import { caseInputs } from "../operations/attention/build/inputs.js";
import { type Explanation, explainOutputs } from "../operations/attention/explain/explain.js";
import { judge } from "../operations/attention/judge/judge.js";
import { judgeRows, sampleRows } from "../operations/attention/judge/sample.js";
import { runVector } from "../operations/attention/vectors/run.js";
import { featureOfOperation } from "../report/features.js";
import type { CaseResult } from "../report/report.js";
import { borrow } from "./borrow.js";
import type { ConformanceCase, OperationCase, ProgramCase } from "./case.js";
import { guardedRun } from "./guarded-run.js";
import { residentViolations } from "./resident.js";

/** Any case: synthetic, recorded, or a program. */
export type AnyCase = ConformanceCase | VectorCase | ProgramCase | OperationCase;

/** A backend under test, and where it came from. */
export interface Subject {
  readonly backend: AttentionBackend;
  readonly provider: AttentionProvider;
}

export interface CaseOptions {
  /** How to read a recorded vector. Default: beside this package's modules. */
  readonly readVector?: ReadVector | undefined;
  /** Random problems for each law. Default 12 on a CPU and 4 elsewhere, where each may compile. */
  readonly runs?: number | undefined;
  /** Seed of the random problems. Default 1: the same ones each time. */
  readonly seed?: number | undefined;
}

/** Runs one case on a loaded backend. Never throws: a backend's error is the case's failure. */
export async function checkCase(
  subject: Subject,
  c: AnyCase,
  options: CaseOptions = {},
): Promise<CaseResult> {
  const start = performance.now();
  const found = await find(subject, c, options);
  return {
    id: c.id,
    profile: "profile" in c ? c.profile : "vectors",
    budgets: null,
    nmse: null,
    worst: null,
    failures: [],
    reasons: [],
    ...found,
    milliseconds: performance.now() - start,
  };
}

function find(subject: Subject, c: AnyCase, options: CaseOptions): Promise<Finding> {
  if ("spec" in c) return checkSynthetic(subject.backend, c);
  if ("run" in c) return checkProgram(subject, c, options);
  if ("check" in c) return checkOperation(subject, c, options);
  return checkVector(subject.backend, c, options.readVector);
}

type Finding = Pick<CaseResult, "outcome" | "features"> & Partial<CaseResult>;

async function checkSynthetic(backend: AttentionBackend, c: ConformanceCase): Promise<Finding> {
  const inputs = caseInputs(c, arithmeticOf(backend.info));
  const problem = describeProblem(inputs);
  const features = attentionFeaturesOf(problem);
  const support = backend.supports(problem);
  if (!support.ok) return { features, ...(await checkRefusal(backend, problem, support.reasons)) };
  try {
    const { verdict, explanations } = await judgedRun(backend, problem, inputs, c);
    return {
      features,
      ...verdictFinding(verdict),
      ...(explanations.length > 0 && { explanations }),
    };
  } catch (error) {
    return { features, ...crash(error) };
  }
}

async function checkProgram(
  { backend, provider }: Subject,
  c: ProgramCase,
  { runs, seed = 1 }: CaseOptions,
): Promise<Finding> {
  const features: string[] = [];
  const arithmetic = arithmeticOf(backend.info);
  const onCpu = arithmetic.nonFinite;
  try {
    const { failures, reasons } = await c.run({
      backend,
      provider,
      arithmetic,
      runs: runs ?? (onCpu ? 12 : 4),
      seed,
    });
    if (failures.length > 0) {
      return { features, outcome: "fail", failures: [`${c.statement} Broken:`, ...failures] };
    }
    return reasons ? { features, outcome: "unsupported", reasons } : { features, outcome: "pass" };
  } catch (error) {
    return { features, outcome: "fail", failures: [c.statement, describeError(error)] };
  }
}

async function checkOperation(
  { backend, provider }: Subject,
  c: OperationCase,
  { runs, seed = 1, readVector }: CaseOptions,
): Promise<Finding> {
  const feature = featureOfOperation(c.operation);
  let features: readonly string[] = [feature];
  const arithmetic = arithmeticOf(backend.info);
  try {
    const {
      failures,
      reasons,
      verdict,
      explanations,
      dtypes = [],
    } = await c.check({
      backend,
      provider,
      arithmetic,
      runs: runs ?? (arithmetic.nonFinite ? 12 : 4),
      seed,
      readVector,
    });
    features = [feature, ...dtypes];
    if (failures.length > 0) return { features, outcome: "fail", failures };
    if (reasons) return { features, outcome: "unsupported", reasons };
    return {
      features,
      ...(verdict ? verdictFinding(verdict) : { outcome: "pass" }),
      ...(explanations && explanations.length > 0 && { explanations }),
    };
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

interface JudgedRun {
  readonly verdict: Verdict;
  readonly explanations: readonly Explanation[];
}

/** A run between its guards, judged. */
async function judgedRun(
  backend: AttentionBackend,
  problem: AttentionProblem,
  inputs: AttentionInputs<HostTensor>,
  c: ConformanceCase,
): Promise<JudgedRun> {
  const arithmetic = arithmeticOf(backend.info);
  const plan = await backend.plan(problem);
  try {
    if (c.rows !== undefined) {
      const outputs = await toHost(await plan.run(inputs));
      const verdict = judgeRows(inputs, outputs, sampleRows(inputs, c.rows), arithmetic);
      return { verdict, explanations: [] };
    }
    const { outputs, violations } = await guardedRun(plan, problem, inputs, arithmetic);
    const verdict = judge(inputs, outputs, undefined, arithmetic);
    const resident =
      (c.resident ?? c.profile === "pairs")
        ? await residentViolations(
            backend,
            plan as Plan<AttentionInputs, object>,
            attention,
            inputs,
            outputs,
          )
        : [];
    return {
      verdict: { ...verdict, violations: [...verdict.violations, ...violations, ...resident] },
      explanations: passes(verdict) ? [] : explainOutputs(inputs, outputs, plan.description),
    };
  } finally {
    plan.dispose();
  }
}

async function checkVector(
  backend: AttentionBackend,
  c: VectorCase,
  readVector?: ReadVector,
): Promise<Finding> {
  const features = c.folder === "onnx" || c.folder === "ort" ? ["ONNX Attention"] : [];
  const provider = { name: backend.name, load: async () => borrow(backend) };
  const attention = await createAttention({
    backends: [provider],
    selfTest: false,
    fallback: "silent",
  });
  try {
    const verdict = await runVector(c, attention, arithmeticOf(backend.info), readVector);
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
  }
}

function verdictFinding(verdict: Verdict): Omit<Finding, "features"> {
  const { budgets, nmse, worst, violations, where } = verdict;
  const failures = [...violations];
  if (budgets > 1) failures.push("the error is larger than allowed");
  failures.push(...where);
  return { outcome: passes(verdict) ? "pass" : "fail", budgets, nmse, worst, failures };
}

function crash(error: unknown): Omit<Finding, "features"> {
  const message = `the backend accepted the problem and then failed: ${describeError(error)}`;
  return { outcome: "fail", failures: [message] };
}

function describeError(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
