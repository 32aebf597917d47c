import { judge } from "@heed/conformance";
import type { AttentionInputs, AttentionOutputs, HostTensor } from "@heed/core";
import { expect } from "vitest";

/** Expects what the suite would: nothing forbidden, and no more error than is tolerated. */
export function expectPass(
  call: AttentionInputs<HostTensor>,
  outputs: AttentionOutputs<HostTensor>,
): void {
  const verdict = judge(call, outputs);
  expect(verdict.violations).toEqual([]);
  expect(verdict.budgets).toBeLessThanOrEqual(1);
}
