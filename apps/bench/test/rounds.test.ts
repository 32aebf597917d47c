import { expect, test } from "vitest";
import { planSampling, timeInRounds } from "../src/measure/rounds.js";

const yardstick = () => 1;

test("sampling follows the budget", () => {
  const plan = (estimate: number) => planSampling(estimate, { budget: 1000, samples: null });
  expect(plan(10)).toEqual({ rounds: 9, calls: 12, repeats: 1, samples: 100 });
  expect(plan(0)).toEqual({ rounds: 9, calls: 50, repeats: 1, samples: 450 });
  expect(plan(200)).toEqual({ rounds: 5, calls: 1, repeats: 1, samples: 5 });
  // slow ones overdraw it for the sake of a median, up to a point
  expect(plan(900)).toEqual({ rounds: 3, calls: 1, repeats: 1, samples: 3 });
  expect(plan(5000)).toEqual({ rounds: 2, calls: 1, repeats: 1, samples: 2 });
  expect(plan(60_000)).toEqual({ rounds: 1, calls: 1, repeats: 1, samples: 1 });
});

test("samples asked for are taken, no more and no fewer, whatever they cost", async () => {
  const plan = (samples: number) => planSampling(60_000, { budget: 1, samples });
  expect(plan(5)).toEqual({ rounds: 5, calls: 1, repeats: 1, samples: 5 });
  expect(plan(20)).toEqual({ rounds: 7, calls: 3, repeats: 1, samples: 20 });
  const subject = { run: async () => {}, estimate: 60_000 };
  const [times] = await timeInRounds([subject], { budget: 1, samples: 20 }, yardstick);
  expect(times?.rounds.map(({ length }) => length)).toEqual([3, 3, 3, 3, 3, 3, 2]);
});

test("a coarse clock is looked at after several calls, and a sample is still a call", async () => {
  const plan = (estimate: number, tick: number) =>
    planSampling(estimate, { budget: 1000, samples: null, tick });
  // 5 µs are a hundredth of 0.5 ms.
  expect(plan(0.05, 0.005)).toEqual({ rounds: 9, calls: 50, repeats: 10, samples: 450 });
  expect(plan(10, 0.005)).toEqual(plan(10, 0));
  // In a page that is not isolated the budget has room for fewer.
  expect(plan(0.5, 0.1)).toEqual({ rounds: 9, calls: 12, repeats: 20, samples: 100 });

  let calls = 0;
  const run = async () => {
    const end = performance.now() + 0.2;
    while (performance.now() < end);
    calls++;
  };
  const subject = { run, estimate: 0.2, deviceMs: async () => 40 };
  const options = { budget: 1, samples: 3, tick: 0.01 };
  const [times] = await timeInRounds([subject], options, yardstick);
  expect(calls).toBe(3 * 5);
  expect(times?.repeats).toBe(5);
  const least = Math.min(...(times?.rounds.flat() ?? []));
  expect(least).toBeGreaterThanOrEqual(0.19);
  expect(least).toBeLessThan(5 * 0.19);
  expect(times?.device).toEqual([8, 8, 8]);
});

test("subjects take turns, and each call is a sample", async () => {
  const calls: string[] = [];
  const subject = (name: string) => ({
    run: async () => void calls.push(name),
    estimate: 1,
  });
  const yard = () => calls.push("yardstick");
  const options = { budget: 1, samples: 2 };
  const samples = await timeInRounds([subject("a"), subject("b")], options, yard);
  const both = ["yardstick", "a", "yardstick", "b"];
  expect(calls).toEqual([...both, ...both]);
  expect(samples.map((times) => times.yardstick)).toEqual([
    [1, 5],
    [3, 7],
  ]);
  expect(samples.map(({ rounds }) => rounds.map(({ length }) => length))).toEqual([
    [1, 1],
    [1, 1],
  ]);
});

test("a slow subject sits the later rounds out", async () => {
  const subject = (estimate: number) => ({ run: async () => {}, estimate });
  const options = { budget: 500, samples: null };
  const [slow, fast] = await timeInRounds([subject(1e6), subject(100)], options, yardstick);
  expect(slow?.rounds).toHaveLength(1);
  expect(fast?.rounds).toHaveLength(5);
});

test("a device's own times are kept beside the wall clock's", async () => {
  let call = 0;
  const subject = { run: async () => void call++, estimate: 1, deviceMs: async () => call };
  const [times] = await timeInRounds([subject], { budget: 1, samples: 3 }, yardstick);
  expect(times?.device).toHaveLength(3);
  // The clock is asked once before the calls, for whatever was not timed.
  expect(times?.device).toEqual([1, 2, 3]);
  const without = { ...subject, deviceMs: async () => null };
  const [none] = await timeInRounds([without], { budget: 1, samples: 3 }, yardstick);
  expect(none?.device).toEqual([]);
});

test("what reading took is kept beside the whole, a call", async () => {
  let reading = 0;
  const subject = {
    run: async () => {
      reading += 6;
    },
    estimate: 0.2,
    readMs: () => {
      const ms = reading;
      reading = 0;
      return ms;
    },
  };
  reading = 1000; // Reading before the first sample must not count in it.
  const [times] = await timeInRounds([subject], { budget: 1, samples: 3, tick: 0.01 }, yardstick);
  expect(times?.repeats).toBe(5);
  expect(times?.read).toEqual([6, 6, 6]);
  const { readMs: _, ...without } = subject;
  const [none] = await timeInRounds([without], { budget: 1, samples: 3 }, yardstick);
  expect(none?.read).toEqual([]);
});

test("an abort ends it between visits", async () => {
  const controller = new AbortController();
  const run = async () => controller.abort(new Error("enough"));
  const timing = timeInRounds(
    [{ run, estimate: 1 }],
    { budget: 1, samples: 5 },
    yardstick,
    controller.signal,
  );
  await expect(timing).rejects.toThrow("enough");
});

test("an error of the subject is the error", async () => {
  const run = async () => {
    throw new Error("lost the device");
  };
  const timing = timeInRounds([{ run, estimate: 1 }], { budget: 1, samples: 1 }, yardstick);
  await expect(timing).rejects.toThrow("lost the device");
});
