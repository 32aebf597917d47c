import { expect, test } from "vitest";
import { expFloat32 } from "../src/attention/exp.js";

test("is within 2e-9 of exp, relatively, over all of its range", () => {
  let worst = 0;
  for (let x = 0; x > -103; x -= 0.000_37) {
    worst = Math.max(worst, Math.abs(expFloat32(x) / Math.exp(x) - 1));
  }
  expect(worst).toBeLessThan(2e-9);
  expect(worst).toBeGreaterThan(1e-13);
});

test("is exactly 1 at 0, and exactly 0 where float32 has nothing left", () => {
  expect(expFloat32(0)).toBe(1);
  expect(expFloat32(-104.1)).toBe(0);
  expect(expFloat32(-1e300)).toBe(0);
  expect(expFloat32(Number.NEGATIVE_INFINITY)).toBe(0);
});

test("is NaN for NaN, so that a NaN among the logits is not taken for a hidden key", () => {
  expect(expFloat32(Number.NaN)).toBe(Number.NaN);
});

test("does not rise as x falls", () => {
  let before = 1;
  for (let x = 0; x > -2; x -= 0.000_1) {
    const now = expFloat32(x);
    expect(now).toBeLessThanOrEqual(before);
    before = now;
  }
});
