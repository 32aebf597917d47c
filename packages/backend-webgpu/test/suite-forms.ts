/** The kernels that the suite's problems can lead to: by rule or by measuring, on each kind of device. */
import { selectCases } from "@heed/conformance";
import { type AttentionProblem, attention } from "@heed/core";
import { problemOf } from "../../../test/select.js";
import { type Choice, choose } from "../src/attention/choose.js";
import { operandsOf } from "../src/attention/operands.js";
import { schedule } from "../src/attention/schedule/schedule.js";
import { shapesToTry } from "../src/attention/tuning/candidates.js";
import { type Capabilities, floor } from "../src/capabilities.js";
import { denseLayouts } from "../src/execution/program.js";
import type { Kernel } from "../src/wgsl/kernel.js";

const wide: Capabilities = {
  ...floor,
  limits: {
    ...floor.limits,
    maxComputeWorkgroupStorageSize: 32_768,
    maxStorageBuffersPerShaderStage: 16,
  },
};
const devices: readonly Capabilities[] = [
  // The least of GPUs, one in an engine whose compiler is naga, and one in Chrome.
  floor,
  { ...wide, float16: true },
  { ...wide, float16: true, subgroups: true, matrices: { m: 16, n: 16, k: 16 } },
  // SwiftShader in Deno and in Chrome.
  { ...floor, software: true },
  { ...wide, software: true, subgroups: true },
];

/** A kernel's name without head sizes and without what tells its programs from others. */
function formOf({ name }: Kernel): string {
  return name
    .replaceAll(/-(mask|score)-[0-9a-f]{16}/g, "-$1")
    .replace(/^(attention-(?:quad|alone|stream)-f32-\d+x\d+)x\d+x\d+/, "$1")
    .replace(/^(attention-decode-f(?:16|32)-)\d+x/, "$1");
}

function choicesFor(problem: AttentionProblem, device: Capabilities): readonly Choice[] {
  const rule = choose(problem, device);
  const invariant = choose(problem, device, { batchInvariant: true });
  // As `tune` does: a ragged batch keeps the rules.
  const measured = problem.ragged === null ? shapesToTry(problem, device, rule).flat() : [];
  return [rule, invariant, ...measured];
}

/** The first kernel of each form. */
export function suiteForms(): readonly Kernel[] {
  const forms = new Map<string, Kernel>();
  for (const c of selectCases()) {
    if (!("spec" in c) || c.spec.dtype === "float64") continue;
    const problem = problemOf(c);
    const operands = operandsOf(denseLayouts(attention.operands(problem)));
    for (const device of devices) {
      for (const choice of choicesFor(problem, device)) {
        for (const { kernel } of schedule(problem, choice, operands, device)?.steps ?? []) {
          const form = formOf(kernel);
          if (!forms.has(form)) forms.set(form, kernel);
        }
      }
    }
  }
  return [...forms.values()];
}
