/** Root mean square normalisation, by the cases of the suite and in parts that fit into bindings. */
import { webgpu } from "@heed/backend-webgpu";
import { checkBackend } from "@heed/conformance";
import { rmsNorm, zeros } from "@heed/core";
import { describe, expect, test } from "vitest";
import { floor } from "../src/capabilities.js";
import { denseLayouts } from "../src/execution/program.js";
import { scheduleRmsNorm } from "../src/rms-norm/schedule.js";
import { available } from "./available.js";

test("an input that is more than a binding is normalised in parts; a vector that is, is refused", () => {
  const call = { input: zeros("float32", [2, 3, 4, 256]), weight: zeros("float32", [256]) };
  const problem = rmsNorm.describe(call);
  const layouts = denseLayouts(rmsNorm.operands(problem));
  const schedule = (bytes: number) =>
    scheduleRmsNorm(problem, layouts, {
      ...floor,
      limits: { ...floor.limits, maxStorageBufferBindingSize: bytes },
    });
  expect(schedule(2 ** 20)?.steps).toHaveLength(1);
  const parts = schedule(4096)?.steps ?? [];
  expect(parts).toHaveLength(6);
  const vectors = parts.reduce((sum, { params }) => sum + (params.workgroups as number), 0);
  expect(vectors).toBe(2 * 3 * 4);
  expect(schedule(512)).toBeNull();
});

describe.skipIf(!available)("rmsNorm", () => {
  test("every case of the suite", async () => {
    const provider = webgpu({ allowFallbackAdapter: true });
    const report = await checkBackend(provider as never, { filter: "rmsNorm" });
    const failing = report.results.filter(({ outcome }) => outcome === "fail");
    expect(failing.map(({ id, failures, worst }) => [id, failures, worst])).toEqual([]);
    expect(report.counts.pass).toBeGreaterThan(25);
  });
});
