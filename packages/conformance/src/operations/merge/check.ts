import {
  type DeviceTensor,
  type HostTensor,
  isDeviceTensor,
  type MergeInputs,
  type MergeOutputs,
  merge,
  type Plan,
  type Tensor,
} from "@heed/core";
import { bitsOf, sameBits } from "../../calls/bits.js";
import { passes } from "../../judge/verdict.js";
import type { OperationCase, OperationContext, OperationFinding } from "../../run/case.js";
import { operationSupport } from "../../run/operation-support.js";
import { buildMerge, type MergeCall } from "./build.js";
import { judgeMerge } from "./judge.js";
import { explainMerge } from "./mistakes.js";
import type { MergeSpec } from "./spec.js";

/** A spec as a case of the suite. */
export function mergeCase(id: string, spec: MergeSpec): OperationCase {
  return {
    id,
    profile: "merge",
    operation: "merge",
    check: (context) => checkMerge(buildMerge(spec, id, context.arithmetic), context),
  };
}

type MergePlan = Plan<MergeInputs, MergeOutputs>;
type Merged = MergeOutputs<HostTensor>;

/**
 * Runs a call and judges it: on host tensors twice, since the same inputs must give the same bits and
 * stay as they are, and where the backend has memory of its own, with every tensor uploaded and with
 * the first part alone.
 *
 * @param recorded outputs to compare with; default the reference's
 */
export async function checkMerge(
  call: MergeCall,
  { backend, arithmetic }: OperationContext,
  recorded?: Merged,
): Promise<OperationFinding> {
  const support = await operationSupport(backend, merge.describe(call));
  if (!support.ok) return { failures: support.failures, reasons: support.reasons };
  const plan = await support.plan();
  try {
    const given = call.parts.flatMap(({ output, logSumExp }) => [output, logSumExp]);
    const before = given.map(bitsOf);
    const outputs = await run(plan, call);
    const verdict = judgeMerge(call, outputs, arithmetic, recorded);
    const violations: string[] = [];
    if (given.some((t, i) => !sameBits(before[i] as Uint8Array, bitsOf(t)))) {
      violations.push("the inputs were changed");
    }
    const buffers = new Set(given.map(({ data }) => data.buffer));
    for (const name of ["output", "logSumExp"] as const) {
      if (buffers.has(outputs[name].data.buffer)) violations.push(`${name} is an input`);
    }
    if (!sameOutputs(outputs, await run(plan, call))) {
      violations.push("a second run of the same inputs gives other bits");
    }
    if (backend.upload) {
      const upload = backend.upload.bind(backend);
      violations.push(...(await residentViolations(plan, call, outputs, upload)));
    }
    return {
      failures: [],
      verdict: { ...verdict, violations: [...verdict.violations, ...violations] },
      explanations: passes(verdict) ? [] : explainMerge(call, outputs).map((name) => [name]),
    };
  } finally {
    plan.dispose();
  }
}

/** Whether two results are the same, to the bit. */
export function sameOutputs(one: Merged, other: Merged): boolean {
  return (["output", "logSumExp"] as const).every((name) =>
    sameBits(bitsOf(one[name]), bitsOf(other[name])),
  );
}

async function run(plan: MergePlan, call: MergeInputs): Promise<Merged> {
  const { output, logSumExp } = await plan.run(call);
  return { output: await read(output), logSumExp: await read(logSumExp) };
}

async function read(t: Tensor): Promise<HostTensor> {
  if (!isDeviceTensor(t)) return t;
  const host = await t.read();
  t.dispose();
  return host;
}

async function residentViolations(
  plan: MergePlan,
  call: MergeCall,
  expected: Merged,
  upload: (t: HostTensor) => Promise<DeviceTensor>,
): Promise<string[]> {
  const uploaded: DeviceTensor[] = [];
  const move = async (t: HostTensor): Promise<DeviceTensor> => {
    const moved = await upload(t);
    uploaded.push(moved);
    return moved;
  };
  const violations: string[] = [];
  try {
    const resident: MergeInputs["parts"][number][] = [];
    for (const { output, logSumExp } of call.parts) {
      resident.push({ output: await move(output), logSumExp: await move(logSumExp) });
    }
    const outputs = await plan.run({ parts: resident });
    for (const name of ["output", "logSumExp"] as const) {
      if (!isDeviceTensor(outputs[name]))
        violations.push(`${name} of resident parts is a host tensor`);
    }
    const back = { output: await read(outputs.output), logSumExp: await read(outputs.logSumExp) };
    if (!sameOutputs(back, expected)) {
      violations.push("resident parts give other bits than the same parts on the host");
    }
    const [first] = resident as [MergeInputs["parts"][number]];
    const mixed = await run(plan, { parts: [first, ...call.parts.slice(1)] });
    if (!sameOutputs(mixed, expected)) {
      violations.push("a resident part beside parts on the host gives other bits");
    }
    return violations;
  } finally {
    for (const t of uploaded) t.dispose();
  }
}

/** Runs a call for a law: the outputs, in host memory; `null` where the backend refuses it. */
export async function mergeOn(
  { backend }: OperationContext,
  call: MergeCall,
): Promise<Merged | null> {
  const support = await operationSupport(backend, merge.describe(call));
  if (!support.ok) return null;
  const plan = await support.plan();
  try {
    return await run(plan, call);
  } finally {
    plan.dispose();
  }
}
