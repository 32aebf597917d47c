/** Merging of float16 parts by kernels that keep float16; where there is no shader-f16, it is skipped. */
import { type HostTensor, type MergeOutputs, merge } from "@heed/core";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { WebGpuBackend } from "../src/backend.js";
import { asOnGpuWith } from "./devices.js";
import { calls, checkMerged } from "./merge-calls.js";

vi.setConfig({ testTimeout: 600_000 });

const halves = calls.filter(([, [first]]) => first?.output.dtype === "float16");

describe("merge in float16", () => {
  let backend: WebGpuBackend | null = null;
  let missing = "";
  beforeAll(async () => {
    try {
      backend = (await asOnGpuWith("shader-f16").load()) as WebGpuBackend;
    } catch (error) {
      missing = (error as Error).message;
    }
  });
  afterAll(() => backend?.dispose());

  for (const [title, parts] of halves) {
    test(title, async ({ skip }) => {
      // Whether it may be, float16.node.test.ts says.
      if (backend === null) return skip(`unavailable: ${missing}`);
      const plan = await backend.plan(merge.describe({ parts }));
      expect(plan.description.kernel).toMatch(/^merge-sum-f16/);
      checkMerged(parts, (await plan.run({ parts })) as MergeOutputs<HostTensor>);
      plan.dispose();
    });
  }
});
