import type { AnyOperation, Plan } from "@heed/core";
import { differing, type HostOutputs, outputBits, takeToHost } from "../calls/bits.js";
import { tensorsOf } from "../calls/operands.js";
import type { Arithmetic } from "../judge/arithmetic.js";
import { passes, type Verdict } from "../judge/verdict.js";
import type { OperationName } from "../operations/names.js";
import type { OperationCase, OperationContext, OperationFinding } from "./case.js";
import { watchInputs } from "./guarded-run.js";
import { operationSupport } from "./operation-support.js";
import { residentViolations } from "./resident.js";
import type { KnownMistakes, PlantedMistake } from "./step-mistakes.js";

/** An operation as its cases see it: how outputs are judged, and which mistakes would give them. */
export interface JudgedOperation<Call extends object, Outputs extends object>
  extends KnownMistakes<Call, Outputs> {
  readonly operation: AnyOperation;
  /** @param recorded outputs to compare with; default the reference's */
  readonly judge: (
    call: Call,
    outputs: Outputs,
    arithmetic: Arithmetic,
    recorded?: Outputs,
  ) => Verdict;
}

/** Everything that the suite asks about an operation. */
export interface OperationSuite {
  readonly operation: AnyOperation;
  /** Synthetic cases, laws and wrong calls. */
  readonly cases: readonly OperationCase[];
  /** Recorded vectors of other projects. */
  readonly vectors: readonly OperationCase[];
  /** Mistakes that the cases must find. */
  readonly planted: readonly PlantedMistake<never, object>[];
}

/**
 * Runs a call and judges it: on host tensors twice, since the same inputs must give the same bits and stay
 * as they are, and where the backend has memory of its own, on tensors in there.
 *
 * @param recorded outputs to compare with; default the reference's
 */
export async function checkCall<Call extends object, Outputs extends object>(
  { operation, judge, explain }: JudgedOperation<Call, Outputs>,
  call: Call,
  { backend, arithmetic }: OperationContext,
  recorded?: Outputs,
): Promise<OperationFinding> {
  const problem = operation.describe(call);
  const dtypes = [...new Set(operation.operands(problem).map(({ dtype }) => dtype))];
  const support = await operationSupport<Call, Outputs>(backend, problem);
  if (!support.ok) return { failures: support.failures, reasons: support.reasons, dtypes };
  const plan = await support.plan();
  try {
    const given = tensorsOf(operation, problem, call);
    const unchanged = watchInputs(Object.fromEntries(given.map((t) => [t.name, t.tensor])));
    const outputs = await run(plan, call);
    const bits = outputBits(outputs);
    const verdict = judge(call, outputs as Outputs, arithmetic, recorded);
    const violations: string[] = [];
    if (!unchanged()) violations.push("the inputs were changed");
    const buffers = new Set(given.map(({ tensor }) => tensor.data.buffer));
    for (const [name, { data }] of Object.entries(outputs)) {
      if (buffers.has(data.buffer)) violations.push(`${name} is an input`);
    }
    for (const name of differing(bits, outputBits(await run(plan, call)))) {
      violations.push(`${name} has other bits in a second run of the same inputs`);
    }
    violations.push(
      ...(await residentViolations(backend, plan as Plan<Call, object>, operation, call, outputs)),
    );
    return {
      failures: [],
      dtypes,
      verdict: { ...verdict, violations: [...verdict.violations, ...violations] },
      explanations: passes(verdict) ? [] : explain(call, outputs as Outputs).map((name) => [name]),
    };
  } finally {
    plan.dispose();
  }
}

/** Runs a call once: the outputs, in host memory; `null` where the backend refuses it. */
export async function runCall<Call extends object, Outputs extends object>(
  { operation }: JudgedOperation<Call, Outputs>,
  call: Call,
  { backend }: OperationContext,
): Promise<Outputs | null> {
  const support = await operationSupport<Call, Outputs>(backend, operation.describe(call));
  if (!support.ok) return null;
  const plan = await support.plan();
  try {
    return (await run(plan, call)) as Outputs;
  } finally {
    plan.dispose();
  }
}

async function run<Call>(plan: Plan<Call, unknown>, call: Call): Promise<HostOutputs> {
  return takeToHost((await plan.run(call)) as object);
}

/** Specs of an operation as cases of the suite. */
export interface CallCases<Spec, Call extends object, Outputs extends object> {
  readonly of: JudgedOperation<Call, Outputs>;
  /** @param seed the case's id: the same one always gives the same numbers */
  readonly build: (spec: Spec, seed: string, arithmetic: Arithmetic) => Call;
  /** By the ids of the cases. */
  readonly specs: readonly (readonly [id: string, spec: Spec])[];
  /** Whether some backends refuse its dtype; such a case is one of the profile `numerics`. */
  readonly isWide: (spec: Spec) => boolean;
}

export function callCases<Spec, Call extends object, Outputs extends object>({
  of,
  build,
  specs,
  isWide,
}: CallCases<Spec, Call, Outputs>): OperationCase[] {
  const operation = of.operation.name as OperationName;
  return specs.map(([id, spec]) => ({
    id,
    profile: isWide(spec) ? "numerics" : operation,
    operation,
    check: (context) => checkCall(of, build(spec, id, context.arithmetic), context),
  }));
}

/** The first complaint about outputs, for cases of several calls; `null` where there is none. */
export function complaint(verdict: Verdict): string | null {
  if (passes(verdict)) return null;
  const { worst, violations } = verdict;
  return (
    violations[0] ?? `${worst?.output}[${worst?.index}] is ${worst?.got}, not ${worst?.expected}`
  );
}
