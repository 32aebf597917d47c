import {
  type HostTensor,
  isDeviceTensor,
  type Plan,
  type RotaryInputs,
  type RotaryOutputs,
  rotary,
} from "@heed/core";
import { bitsOf, sameBits } from "../../calls/bits.js";
import { passes, type Verdict } from "../../judge/verdict.js";
import type { OperationCase, OperationContext, OperationFinding } from "../../run/case.js";
import { operationSupport } from "../../run/operation-support.js";
import { buildRotary, type RotaryCall } from "./build.js";
import { judgeRotary } from "./judge.js";
import { explainRotary } from "./mistakes.js";
import type { RotarySpec } from "./spec.js";

/** A spec as a case of the suite. */
export function rotaryCase(id: string, spec: RotarySpec): OperationCase {
  return {
    id,
    profile: "rotary",
    operation: "rotary",
    check: (context) => checkRotary(buildRotary(spec, id), context),
  };
}

/**
 * Runs a call and judges it: on host tensors twice, since the same inputs must give the same bits and stay
 * as they are, and on an uploaded tensor, where the backend has memory of its own.
 *
 * @param recorded output to compare with; default the reference's
 */
export async function checkRotary(
  call: RotaryCall,
  { backend, arithmetic }: OperationContext,
  recorded?: HostTensor,
): Promise<OperationFinding> {
  const problem = rotary.describe(call);
  const support = await operationSupport(backend, problem);
  if (!support.ok) return { failures: support.failures, reasons: support.reasons };
  const plan = await support.plan();
  try {
    const before = bitsOf(call.input);
    const output = await run(plan, call);
    const verdict = judgeRotary(call, { output }, arithmetic, recorded);
    const violations: string[] = [];
    if (!sameBits(before, bitsOf(call.input))) violations.push("the input was changed");
    if (output.data.buffer === call.input.data.buffer) violations.push("the output is the input");
    if (!sameBits(bitsOf(output), bitsOf(await run(plan, call)))) {
      violations.push("a second run of the same inputs gives other bits");
    }
    if (backend.upload) {
      violations.push(
        ...(await residentViolations(plan, call, output, backend.upload.bind(backend))),
      );
    }
    return {
      failures: [],
      verdict: { ...verdict, violations: [...verdict.violations, ...violations] },
      explanations: passes(verdict) ? [] : explainRotary(call, output).map((name) => [name]),
    };
  } finally {
    plan.dispose();
  }
}

type RotaryPlan = Plan<RotaryInputs, RotaryOutputs>;

async function run(plan: RotaryPlan, call: RotaryInputs): Promise<HostTensor> {
  const { output } = await plan.run(call);
  if (!isDeviceTensor(output)) return output;
  const read = await output.read();
  output.dispose();
  return read;
}

async function residentViolations(
  plan: RotaryPlan,
  call: RotaryCall,
  expected: HostTensor,
  upload: (t: HostTensor) => Promise<import("@heed/core").DeviceTensor>,
): Promise<string[]> {
  const input = await upload(call.input);
  try {
    const { output } = await plan.run({ ...call, input });
    if (!isDeviceTensor(output)) return ["output of a resident input is a host tensor"];
    const read = await output.read();
    output.dispose();
    return sameBits(bitsOf(read), bitsOf(expected))
      ? []
      : ["output of a resident input has other bits than that of a host input"];
  } finally {
    input.dispose();
  }
}

/** Runs a call for a law: the output, in host memory. */
export async function turn(
  { backend }: OperationContext,
  call: RotaryCall,
): Promise<HostTensor | null> {
  const support = await operationSupport(backend, rotary.describe(call));
  if (!support.ok) return null;
  const plan = await support.plan();
  try {
    return await run(plan, call);
  } finally {
    plan.dispose();
  }
}

/** A verdict's first complaint, for laws; `null` where there is none. */
export function complaint(verdict: Verdict): string | null {
  if (passes(verdict)) return null;
  const { worst, violations } = verdict;
  return (
    violations[0] ?? `${worst?.output}[${worst?.index}] is ${worst?.got}, not ${worst?.expected}`
  );
}
