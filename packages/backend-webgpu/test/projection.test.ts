/** Projections, by the cases of the suite and in parts that fit into bindings. */
import { webgpu } from "@heed/backend-webgpu";
import { checkBackend } from "@heed/conformance";
import { projection, zeros } from "@heed/core";
import { describe, expect, test } from "vitest";
import { floor } from "../src/capabilities.js";
import { denseLayouts } from "../src/execution/program.js";
import { scheduleProjection } from "../src/projection/schedule.js";
import { available } from "./available.js";

test("a weight that is more than a binding is read in parts; a row that is, is refused", () => {
  const call = { input: zeros("float32", [1, 3, 64]), weight: zeros("float32", [96, 64]) };
  const problem = projection.describe(call);
  const layouts = denseLayouts(projection.operands(problem));
  const schedule = (bytes: number) =>
    scheduleProjection(problem, layouts, {
      ...floor,
      limits: { ...floor.limits, maxStorageBufferBindingSize: bytes },
    });
  expect(schedule(2 ** 20)?.steps).toHaveLength(1);
  expect(schedule(16384)?.steps).toHaveLength(2);
  expect(schedule(4096)).toBeNull();
});

describe.skipIf(!available)("projection", () => {
  test("every case of the suite", async () => {
    const provider = webgpu({ allowFallbackAdapter: true });
    const report = await checkBackend(provider as never, { filter: "projection" });
    const failing = report.results.filter(({ outcome }) => outcome === "fail");
    expect(failing.map(({ id, failures, worst }) => [id, failures, worst])).toEqual([]);
    expect(report.counts.pass).toBeGreaterThan(15);
    const layers = await checkBackend(provider as never, { filter: "vectors/mha" });
    expect(layers.counts.pass).toBe(5);
  });
});
