import {
  type DeviceTensor,
  type HostTensor,
  InvalidInputError,
  isDeviceTensor,
  type Plan,
  type ScatterInputs,
  type ScatterOutputs,
  scatter,
} from "@heed/core";
import { bitsOf, sameBits } from "../../calls/bits.js";
import type { Arithmetic } from "../../judge/arithmetic.js";
import { passes, type Verdict } from "../../judge/verdict.js";
import type { OperationCase, OperationContext, OperationFinding } from "../../run/case.js";
import { operationSupport } from "../../run/operation-support.js";
import { buildScatter, onCopies, type ScatterCall } from "./build.js";
import { judgeScatter, untouchedViolations } from "./judge.js";
import { explainScatter, type Scattered } from "./mistakes.js";
import type { ScatterSpec } from "./spec.js";

/** A spec as a case of the suite. */
export function scatterCase(id: string, spec: ScatterSpec): OperationCase {
  return {
    id,
    profile: "scatter",
    operation: "scatter",
    check: (context) => checkScatter(buildScatter(spec, id), context),
  };
}

type ScatterPlan = Plan<ScatterInputs, ScatterOutputs>;

/**
 * Runs a call and judges what it left: on host tensors twice, since writing again must change nothing, and
 * where the backend has memory of its own, on an uploaded target with a source on either side.
 */
export async function checkScatter(
  call: ScatterCall,
  { backend, arithmetic }: OperationContext,
): Promise<OperationFinding> {
  const support = await operationSupport(backend, scatter.describe(call));
  if (!support.ok) return { failures: support.failures, reasons: support.reasons };
  const plan = await support.plan();
  try {
    const [before, copy] = [onCopies(call), onCopies(call)];
    const source = bitsOf(call.source);
    const slots = [...call.slots];
    const violations = await runViolations(plan, copy);
    violations.push(...untouchedViolations(call, before, copy));
    const verdict = judgeScatter(call, copy, arithmetic);
    if (!sameBits(source, bitsOf(call.source))) violations.push("the source was changed");
    if (slots.some((slot, i) => slot !== call.slots[i])) violations.push("the slots were changed");
    const once = bitsOf(copy.target);
    await plan.run(copy);
    if (!sameBits(once, bitsOf(copy.target))) {
      violations.push("writing the same call again gives other bits");
    }
    let worst = verdict;
    if (backend.upload) {
      const upload = backend.upload.bind(backend);
      for (const resident of [false, true]) {
        const found = await onDevice(plan, call, upload, arithmetic, resident);
        if (found === null) continue;
        violations.push(...found.violations);
        if (passes(worst)) worst = found.verdict;
      }
    }
    return {
      failures: [],
      verdict: { ...worst, violations: [...worst.violations, ...violations] },
      explanations: passes(verdict) ? [] : explainScatter(call, copy).map((name) => [name]),
    };
  } finally {
    plan.dispose();
  }
}

/** Runs a call, whose result must be its own tensors. */
async function runViolations(plan: ScatterPlan, call: ScatterInputs): Promise<string[]> {
  const outputs = await plan.run(call);
  const violations: string[] = [];
  if (outputs.target !== call.target) violations.push("the target returned is not the one given");
  if (outputs.scales !== call.scales) violations.push("the scales returned are not those given");
  return violations;
}

type Upload = (t: HostTensor) => Promise<DeviceTensor>;

/** @returns null for a target or source that the backend's memory does not hold */
async function onDevice(
  plan: ScatterPlan,
  call: ScatterCall,
  upload: Upload,
  arithmetic: Arithmetic,
  sourceToo: boolean,
): Promise<{ readonly verdict: Verdict; readonly violations: readonly string[] } | null> {
  const held: DeviceTensor[] = [];
  const move = async (t: HostTensor): Promise<DeviceTensor> => {
    const moved = await upload(t);
    held.push(moved);
    return moved;
  };
  const what = sourceToo ? "a resident target and source" : "a resident target";
  try {
    const target = await move(call.target);
    const scales = call.scales && (await move(call.scales));
    const source = sourceToo ? await move(call.source) : call.source;
    const violations = await runViolations(plan, {
      ...call,
      target,
      source,
      ...(scales && { scales }),
    });
    if (held.some(({ disposed }) => disposed)) violations.push("a tensor given was disposed");
    const got: Scattered = {
      target: await target.read(),
      ...(scales && { scales: await scales.read() }),
    };
    violations.push(...stayed(call, got));
    const told = violations.map((violation) => `${what}: ${violation}`);
    return { verdict: judgeScatter(call, got, arithmetic), violations: told };
  } catch (error) {
    if (error instanceof InvalidInputError && /^(tensor|dtype)$/.test(error.argument)) return null;
    throw error;
  } finally {
    for (const t of held) t.dispose();
  }
}

/** Rows of a target that was read back and that no slot names. */
function stayed(call: ScatterCall, got: Scattered): string[] {
  const rowMajor = (t: HostTensor): HostTensor => ({ ...t, data: t.data.slice() as never });
  const dense = (t: HostTensor, like: HostTensor): HostTensor => {
    const bits = bitsOf(t);
    const data = like.data.slice() as HostTensor["data"];
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength).set(bits);
    return { ...like, data };
  };
  const before = {
    ...call,
    target: dense(call.target, got.target),
    ...(call.scales && got.scales && { scales: dense(call.scales, got.scales) }),
  };
  const after = {
    ...call,
    target: rowMajor(got.target),
    ...(got.scales && { scales: rowMajor(got.scales) }),
  };
  return untouchedViolations(call, before, after);
}

/**
 * Runs a call for a law, in place, in host memory or on uploaded tensors where the backend has any.
 *
 * @returns the target and scales afterwards; null where the backend refuses the call
 */
export async function scatterOn(
  { backend }: OperationContext,
  calls: readonly ScatterCall[],
): Promise<Scattered | null> {
  const [first] = calls as readonly [ScatterCall];
  let state: Pick<ScatterInputs, "target" | "scales"> = first;
  const held: DeviceTensor[] = [];
  if (backend.upload) {
    const target = await backend.upload(first.target);
    held.push(target);
    const scales = first.scales && (await backend.upload(first.scales));
    if (scales) held.push(scales);
    state = { target, ...(scales && { scales }) };
  }
  try {
    for (const { source, slots, paged } of calls) {
      const call = { ...state, source, slots, ...(paged !== undefined && { paged }) };
      const support = await operationSupport(backend, scatter.describe(call));
      if (!support.ok) return null;
      const plan = await support.plan();
      await plan.run(call);
      plan.dispose();
    }
    const read = async (t: ScatterInputs["target"]): Promise<HostTensor> =>
      isDeviceTensor(t) ? t.read() : t;
    return {
      target: await read(state.target),
      ...(state.scales && { scales: await read(state.scales) }),
    };
  } finally {
    for (const t of held) t.dispose();
  }
}
