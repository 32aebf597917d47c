import { expect, test } from "vitest";
import {
  type Access,
  divide,
  type Operand,
  type Region,
  windowOf,
} from "../src/execution/regions.js";

const limits = { bytes: 4096, alignment: 256 };
const range = (end: number) => ({ first: 0, end });
const whole = (batches: number, heads: number, rows: number, keys: number): Region => ({
  batches: range(batches),
  heads: range(heads),
  rows: range(rows),
  keys: range(keys),
});

/** Keys `[batch, head, length, size]`, of one head each. */
const keysOf = (operand: Operand, size: number): Access => ({
  operand,
  footprint: ({ batches, heads, keys }) => [batches, heads, keys, range(size)],
});
const dense = (heads: number, length: number, size: number, offset = 0): Operand => ({
  offset,
  strides: [heads * length * size, length * size, size, 1],
  elementBytes: 4,
});

test("a window starts where bindings can, and its base says by how much earlier", () => {
  const access = keysOf(dense(2, 100, 8, 5), 8);
  const region = { ...whole(1, 2, 1, 100), heads: { first: 1, end: 2 } };
  // Element [0, 1, 0, 0] is at 5 + 800, byte 3220; 3072 is the multiple of 256 before it.
  expect(windowOf(access, region, limits)).toEqual({
    start: 3072,
    size: 3220 + 3200 - 3072,
    base: 5 - 3072 / 4,
  });
  expect(windowOf(access, { ...region, keys: range(0) }, limits)).toBeNull();
});

test("what fits is not divided", () => {
  const region = whole(1, 1, 1, 100);
  expect(divide(region, [keysOf(dense(1, 100, 8), 8)], limits, { keys: 32 })).toEqual([region]);
});

test("parts fit, and cover everything once, whichever axis has to give way", () => {
  for (const [heads, length, strided] of [
    [8, 100, false],
    [2, 500, false],
    [4, 200, true],
  ] as const) {
    const operand: Operand = strided
      ? { offset: 0, strides: [heads * length * 8, 8, heads * 8, 1], elementBytes: 4 }
      : dense(heads, length, 8);
    const access = keysOf(operand, 8);
    const regions = divide(whole(2, heads, 1, length), [access], limits, {
      batches: 1,
      heads: 1,
      keys: 32,
    });
    const seen = new Map<string, number>();
    for (const region of regions ?? []) {
      expect(windowOf(access, region, limits)?.size).toBeLessThanOrEqual(limits.bytes);
      for (let b = region.batches.first; b < region.batches.end; b++) {
        for (let h = region.heads.first; h < region.heads.end; h++) {
          for (let j = region.keys.first; j < region.keys.end; j++) {
            seen.set(`${b} ${h} ${j}`, (seen.get(`${b} ${h} ${j}`) ?? 0) + 1);
          }
        }
      }
    }
    expect(seen.size).toBe(2 * heads * length);
    expect(new Set(seen.values())).toEqual(new Set([1]));
  }
});

test("a grain that does not fit is said to", () => {
  expect(
    divide(whole(1, 1, 1, 64), [keysOf(dense(1, 64, 64), 64)], limits, { keys: 32 }),
  ).toBeNull();
});
