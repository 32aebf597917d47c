/** Kernels compiled by naga: see naga/ask.ts. */
import { expect, test, vi } from "vitest";
import { kernels } from "./kernel-forms.js";
import { compileWithNaga, missing } from "./naga/ask.js";

// Half a minute on idle cores, most of it in the driver.
vi.setConfig({ testTimeout: 900_000 });

test("naga and a driver compile kernels of every kind", async ({ skip }) => {
  if (missing.length > 0) return skip(`missing: ${missing.join(", ")}`);
  const { compiled, refused } = await compileWithNaga(kernels, true);
  expect(refused).toEqual([]);
  // Wherever there is no shader-f16 or there are no subgroups, those of float32 still are.
  expect(compiled.length).toBeGreaterThan(40);
  expect(compiled).toContain("attention-scores-f16");
});
