/** How often a problem is decided about and scheduled: neither work nor text is made twice. */
import { webgpu } from "@heed/backend-webgpu";
import { createAttention, describeProblem, transpose } from "@heed/core";
import { afterEach, describe, expect, test, vi } from "vitest";
import { available } from "./available.js";
import { makeCall } from "./calls.js";

const calls = vi.hoisted(() => ({ schedule: 0, choose: 0 }));
vi.mock("../src/attention/schedule/schedule.js", async (original) => {
  const real = await original<typeof import("../src/attention/schedule/schedule.js")>();
  return {
    schedule: (...args: Parameters<typeof real.schedule>) => {
      calls.schedule += 1;
      return real.schedule(...args);
    },
  };
});
vi.mock("../src/attention/choose.js", async (original) => {
  const real = await original<typeof import("../src/attention/choose.js")>();
  return {
    ...real,
    choose: (...args: Parameters<typeof real.choose>) => {
      calls.choose += 1;
      return real.choose(...args);
    },
  };
});

describe.skipIf(!available)("deciding", () => {
  afterEach(() => Object.assign(calls, { schedule: 0, choose: 0 }));

  test("supports, plan and the first runs schedule once, other layouts once each", async () => {
    const backend = await webgpu({ allowFallbackAdapter: true }).load();
    const call = makeCall({ heads: [3, 3], lengths: [3, 7] });
    const problem = describeProblem(call);
    for (let i = 0; i < 3; i++) expect(backend.supports(problem)).toEqual({ ok: true });
    const plan = await backend.plan(problem);
    const again = await backend.plan(describeProblem(call));
    for (const some of [plan, again]) for (let i = 0; i < 3; i++) await some.run(call);
    expect(calls).toEqual({ schedule: 1, choose: 1 });
    const swapped = makeCall({ heads: [3, 3], lengths: [3, 7] });
    const query = transpose({ ...swapped.query, shape: [1, 3, 3, 16] }, [0, 2, 1, 3]);
    for (let i = 0; i < 3; i++) await plan.run({ ...call, query });
    expect(calls).toEqual({ schedule: 2, choose: 1 });
    plan.dispose();
    again.dispose();
    backend.dispose();
  });

  test("a first call of attention.run does it once, too", async () => {
    const attention = await createAttention({ backends: [webgpu({ allowFallbackAdapter: true })] });
    // Loading tests the backend on problems of its own.
    await attention.run(makeCall({ lengths: [1, 2] }));
    Object.assign(calls, { schedule: 0, choose: 0 });
    const call = makeCall({ heads: [3, 3], lengths: [2, 9] });
    for (let i = 0; i < 3; i++) await attention.run(call);
    expect(calls).toEqual({ schedule: 1, choose: 1 });
    await attention.dispose();
  });
});
