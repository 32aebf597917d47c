import { float16BitsToNumber, numberToFloat16Bits, roundToFloat16 } from "@heed/core";
import { expect, test } from "vitest";

test("every bit pattern survives the way to a number and back", () => {
  for (let bits = 0; bits < 0x10000; bits++) {
    const x = float16BitsToNumber(bits);
    if (Number.isNaN(x)) expect((bits >> 10) & 0x1f).toBe(0x1f);
    else if (numberToFloat16Bits(x) !== bits) throw new Error(`${bits.toString(16)} → ${x}`);
  }
});

test("rounds to nearest, ties to even, between any two neighbours", () => {
  for (let bits = 0; bits < 0x7bff; bits++) {
    const [low, high] = [float16BitsToNumber(bits), float16BitsToNumber(bits + 1)];
    const middle = (low + high) / 2;
    const even = bits % 2 === 0 ? low : high;
    const just = middle * 2 ** -40;
    if (
      roundToFloat16(middle) !== even ||
      roundToFloat16(middle - just) !== low ||
      roundToFloat16(middle + just) !== high
    ) {
      throw new Error(`between ${low} and ${high}`);
    }
  }
});

test("overflows to ∞ from half-way past the largest value, and keeps signs and NaN", () => {
  expect(roundToFloat16(65519.999)).toBe(65504);
  expect(roundToFloat16(65520)).toBe(Number.POSITIVE_INFINITY);
  expect(roundToFloat16(-1e300)).toBe(Number.NEGATIVE_INFINITY);
  expect(roundToFloat16(-0)).toBe(-0);
  expect(roundToFloat16(2 ** -25)).toBe(0);
  expect(roundToFloat16(2 ** -25 * 1.0001)).toBe(2 ** -24);
  expect(roundToFloat16(Number.NaN)).toBeNaN();
});
