/** Scatter in place, by the cases of the suite. */
import { wasm } from "@heed/backend-wasm";
import { checkBackend } from "@heed/conformance";
import { expect, test } from "vitest";

test.each([
  ["one thread", { threads: 1 }],
  ["two threads, whose memory is shared", { threads: 2 }],
] as const)("every case of scatter, %s", async (_, options) => {
  const report = await checkBackend(wasm(options) as never, { profile: "scatter" });
  expect(report.results.filter(({ outcome }) => outcome !== "pass")).toEqual([]);
  expect(report.counts.pass).toBeGreaterThan(60);
});
