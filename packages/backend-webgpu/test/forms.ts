import {
  type AttentionOutputs,
  type AttentionProvider,
  describeProblem,
  type HostTensor,
} from "@heed/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KernelName } from "../src/attention/kernel-names.js";
import type { WebGpuBackend } from "../src/backend.js";
import { type CallShape, makeCall } from "./calls.js";
import { expectPass } from "./passes.js";

/**
 * Calls in float16 that lead to forms of kernels which no case of the suite leads to. Skipped where the
 * provider is unavailable: whether it may be, `testBackend` says.
 */
export function testForms(
  title: string,
  provider: AttentionProvider,
  forms: readonly (readonly [KernelName, CallShape])[],
): void {
  describe(title, () => {
    let backend: WebGpuBackend | null = null;
    let missing = "";

    beforeAll(async () => {
      try {
        backend = (await provider.load()) as WebGpuBackend;
      } catch (error) {
        missing = (error as Error).message;
      }
    });
    afterAll(() => backend?.dispose());

    for (const [kernel, shape] of forms) {
      test(`${kernel} for ${JSON.stringify(shape)}`, async ({ skip }) => {
        if (backend === null) return skip(`unavailable: ${missing}`);
        const call = {
          ...makeCall({ ...shape, dtype: "float16" }),
          causal: true,
          queryOffset: "bottom-right" as const,
          returns: { logSumExp: true },
        };
        const plan = await backend.plan(describeProblem(call));
        expect(plan.description.kernel).toMatch(new RegExp(`^attention-${kernel}-`));
        const outputs = (await plan.run(call)) as AttentionOutputs<HostTensor>;
        expectPass(call, outputs);
      });
    }
  });
}
