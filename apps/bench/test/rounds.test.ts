import { expect, test } from "vitest";
import { planSampling, timeInRounds } from "../src/measure/rounds.js";

test("sampling follows the budget", () => {
  const plan = (estimate: number) => planSampling(estimate, { budget: 1000, samples: null });
  expect(plan(10)).toEqual({ rounds: 9, calls: 12, samples: 100 });
  expect(plan(0)).toEqual({ rounds: 9, calls: 50, samples: 450 });
  expect(plan(200)).toEqual({ rounds: 5, calls: 1, samples: 5 });
  // slow ones overdraw it for the sake of a median, up to a point
  expect(plan(900)).toEqual({ rounds: 3, calls: 1, samples: 3 });
  expect(plan(5000)).toEqual({ rounds: 2, calls: 1, samples: 2 });
  expect(plan(60_000)).toEqual({ rounds: 1, calls: 1, samples: 1 });
});

test("samples asked for are taken, no more and no fewer, whatever they cost", async () => {
  const plan = (samples: number) => planSampling(60_000, { budget: 1, samples });
  expect(plan(5)).toEqual({ rounds: 5, calls: 1, samples: 5 });
  expect(plan(20)).toEqual({ rounds: 7, calls: 3, samples: 20 });
  const subject = { run: async () => {}, estimate: 60_000 };
  const [rounds = []] = await timeInRounds([subject], { budget: 1, samples: 20 });
  expect(rounds.map(({ length }) => length)).toEqual([3, 3, 3, 3, 3, 3, 2]);
});

test("subjects take turns, and each call is a sample", async () => {
  const calls: string[] = [];
  const subject = (name: string) => ({
    run: async () => void calls.push(name),
    estimate: 1,
  });
  const samples = await timeInRounds([subject("a"), subject("b")], { budget: 1, samples: 2 });
  expect(calls).toEqual(["a", "b", "a", "b"]);
  expect(samples.map((rounds) => rounds.map(({ length }) => length))).toEqual([
    [1, 1],
    [1, 1],
  ]);
});

test("a slow subject sits the later rounds out", async () => {
  const subject = (estimate: number) => ({ run: async () => {}, estimate });
  const [slow, fast] = await timeInRounds([subject(1e6), subject(100)], {
    budget: 500,
    samples: null,
  });
  expect(slow).toHaveLength(1);
  expect(fast).toHaveLength(5);
});

test("an abort ends it between visits", async () => {
  const controller = new AbortController();
  const run = async () => controller.abort(new Error("enough"));
  const timing = timeInRounds([{ run, estimate: 1 }], { budget: 1, samples: 5 }, controller.signal);
  await expect(timing).rejects.toThrow("enough");
});

test("an error of the subject is the error", async () => {
  const run = async () => {
    throw new Error("lost the device");
  };
  await expect(timeInRounds([{ run, estimate: 1 }], { budget: 1, samples: 1 })).rejects.toThrow(
    "lost the device",
  );
});
