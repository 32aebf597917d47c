/**
 * Every kernel that the suite's problems can lead to, compiled by both compilers of WGSL. Most of them run nowhere in
 * the tests: each kind of device has its own, and measuring may choose others than the rules.
 */
import { expect, test, vi } from "vitest";
import { compileWithNaga, missing } from "./naga/ask.js";
import { deviceOfAll, messagesTo } from "./null-device.js";
import { suiteForms } from "./suite-forms.js";

vi.setConfig({ testTimeout: 600_000 });

const forms = suiteForms();

test("Tint compiles every form", async ({ skip }) => {
  const device = await deviceOfAll();
  if (device === null) return skip("no package webgpu");
  const refused: Record<string, readonly string[]> = {};
  for (const { name, code } of forms) {
    const messages = await messagesTo(device, code);
    if (messages.length > 0) refused[name] = messages;
  }
  expect(refused).toEqual({});
  expect(forms.length).toBeGreaterThan(500);
});

test("naga compiles every form that engines with it can run", async ({ skip }) => {
  if (missing.length > 0) return skip(`missing: ${missing.join(", ")}`);
  const { refused, skipped } = await compileWithNaga(forms, false);
  expect(refused).toEqual([]);
  // Neither Firefox nor Deno gives a device subgroups.
  const code = new Map(forms.map((kernel) => [kernel.name, kernel.code]));
  expect(skipped.filter((name) => !code.get(name)?.includes("enable subgroups;"))).toEqual([]);
});
