import { expect, test } from "vitest";
import { measureThread } from "../src/ceiling/ceiling.js";
import { ceilingFraction } from "../src/report/fraction.js";

test("a thread's ceiling is positive, and includes what every engine has", async () => {
  let waits = 0;
  const { arithmetic, readGBps } = await measureThread(() => waits++);
  expect(arithmetic[0]?.features).toBe("simd128");
  for (const { gflops } of arithmetic) expect(gflops).toBeGreaterThan(0);
  expect(readGBps).toBeGreaterThan(0);
  expect(waits).toBeGreaterThan(0);
});

test("the tighter of the two limits is the one that counts", () => {
  const ceiling = {
    threads: 1,
    arithmetic: [
      { features: "simd128", gflops: 20 },
      { features: "relaxed-simd", gflops: 40 },
    ],
    readGBps: 10,
  };
  const timing = { median: 100, p25: 1, p75: 1, min: 1, max: 1, count: 1, outliers: 0 };
  const fraction = (flops: number, bytes: number) =>
    ceilingFraction({ flops, bytes }, { timing }, ceiling);
  expect(fraction(2e9, 1e6)).toEqual({ fraction: 0.5, limit: "arithmetic" });
  expect(fraction(1e6, 1e9 / 4)).toEqual({ fraction: 0.25, limit: "memory" });
});
