import { expect, test } from "vitest";
import { pairedRatio, summarize } from "../src/statistics.js";

test("a summary of known samples", () => {
  expect(summarize([5, 1, 4, 2, 3])).toEqual({
    median: 3,
    p25: 2,
    p75: 4,
    min: 1,
    max: 5,
    count: 5,
  });
});

test("a single sample has no spread", () => {
  expect(summarize([7])).toEqual({ median: 7, p25: 7, p75: 7, min: 7, max: 7, count: 1 });
});

test("summaries leave their samples as they were", () => {
  const samples = [3, 1, 2];
  summarize(samples);
  pairedRatio([samples], [samples]);
  expect(samples).toEqual([3, 1, 2]);
});

test("ratios are paired: a machine that slows down for some rounds does not change them", () => {
  const slowdowns = [1, 1, 5, 5, 1, 2, 1];
  const baseline = slowdowns.map((s) => [20 * s, 22 * s, 21 * s]);
  const subject = slowdowns.map((s) => [7 * s]);
  expect(pairedRatio(baseline, subject)).toEqual({ median: 3, p25: 3, p75: 3, rounds: 7 });
});

test("rounds that one side sat out do not count", () => {
  expect(pairedRatio([[10]], [[5], [100], [100]])).toMatchObject({ median: 2, rounds: 1 });
  expect(pairedRatio([], [[5]])).toBeNull();
  expect(pairedRatio([[]], [[5]])).toBeNull();
});
