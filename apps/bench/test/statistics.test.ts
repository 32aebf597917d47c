import { expect, test } from "vitest";
import { type LaunchSamples, pairedRatio, summarize } from "../src/statistics.js";

function launch(rounds: readonly (readonly number[])[]): LaunchSamples[] {
  return [{ rounds, yardstick: rounds.map(() => 1) }];
}

test("a summary of known samples", () => {
  expect(summarize([5, 1, 4, 2, 3])).toEqual({
    median: 3,
    p25: 2,
    p75: 4,
    min: 1,
    max: 5,
    count: 5,
    outliers: 0,
  });
});

test("a single sample has no spread", () => {
  expect(summarize([7])).toEqual({
    median: 7,
    p25: 7,
    p75: 7,
    min: 7,
    max: 7,
    count: 1,
    outliers: 0,
  });
});

test("outliers are counted and kept", () => {
  expect(summarize([10, 10.1, 10.2, 10.3, 10.4, 30])).toMatchObject({ max: 30, outliers: 1 });
  expect(summarize([1, 10, 10.1, 10.2, 10.3, 10.4, 30])).toMatchObject({ count: 7, outliers: 2 });
});

test("summaries leave their samples as they were", () => {
  const samples = [3, 1, 2];
  summarize(samples);
  pairedRatio(launch([samples]), launch([samples]));
  expect(samples).toEqual([3, 1, 2]);
});

test("ratios are paired: a machine that slows down for some rounds does not change them", () => {
  const slowdowns = [1, 1, 5, 5, 1, 2, 1];
  const baseline = slowdowns.map((s) => [20 * s, 22 * s, 21 * s]);
  const subject = slowdowns.map((s) => [7 * s]);
  expect(pairedRatio(launch(baseline), launch(subject))).toEqual({
    median: 3,
    p25: 3,
    p75: 3,
    rounds: 7,
  });
});

test("rounds that one side sat out do not count", () => {
  const ratio = pairedRatio(launch([[10]]), launch([[5], [100], [100]]));
  expect(ratio).toMatchObject({ median: 2, rounds: 1 });
  expect(pairedRatio(launch([]), launch([[5]]))).toBeNull();
  expect(pairedRatio(launch([[]]), launch([[5]]))).toBeNull();
});

test("rounds are paired within their own launch", () => {
  const baseline = [...launch([[10], [10]]), ...launch([[40]])];
  const subject = [...launch([[5]]), ...launch([[20], [1]])];
  expect(pairedRatio(baseline, subject)).toEqual({ median: 2, p25: 2, p75: 2, rounds: 2 });
});
