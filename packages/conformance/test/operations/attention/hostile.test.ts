import { caseInputs } from "@heed/conformance";
import { attention, createAttention, reference, toFloat64 } from "@heed/core";
import { expect, test } from "vitest";
import { hostileCalls, hostileKinds } from "../../../src/operations/attention/hostile/calls.js";
import { checkWrongCalls } from "../../../src/run/wrong-calls.js";

const count = 6000;
const good = caseInputs({ id: "good", spec: { queryLength: 9, causal: true } });

/** Bytes in use, where the runtime tells. */
function memory(): number {
  const { process } = globalThis as { process?: { memoryUsage?: () => NodeJS.MemoryUsage } };
  const usage = process?.memoryUsage?.();
  return usage ? usage.heapUsed + usage.arrayBuffers : 0;
}

test(`${count} wrong calls each give a typed error before a backend sees them, and do no harm`, async () => {
  const made = await createAttention({ backends: [reference()] });
  const before = toFloat64((await made.run(good)).output);
  const bytes = memory();
  const backend = await reference().load();
  expect(await checkWrongCalls(backend, attention, hostileCalls(count, 1))).toEqual([]);
  // Shapes of 2^31 elements were asked for thousands of times: nothing of the kind was allocated.
  expect(memory() - bytes).toBeLessThan(2 ** 28);
  expect(toFloat64((await made.run(good)).output)).toEqual(before);
  await made.dispose();
});

test("the same seed gives the same calls, each kind among them", () => {
  const names = (seed: number) => [...hostileCalls(1000, seed)].map(({ name }) => name);
  expect(names(3)).toEqual(names(3));
  expect(new Set(names(1)).size).toBeGreaterThanOrEqual(hostileKinds);
  expect(hostileKinds).toBeGreaterThan(150);
});

test("a call that is right is reported: the check can fail", async () => {
  const backend = await reference().load();
  expect(
    await checkWrongCalls(backend, attention, [{ name: "a right call", inputs: good }]),
  ).toEqual(["a right call: accepted", "a right call: the backend's plan() was called"]);
});
